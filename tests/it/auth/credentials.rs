//! When a credential ends: revoked or expired while the body of a command arrives, or because its
//! file was deleted.

use std::fs;
use std::sync::atomic::Ordering::Relaxed;

use reqwest::Method;
use serde_json::json;
use turnout::auth::{Algorithm, AnonymousAccess};
use turnout::clock::Clock;
use turnout::http::permissions;

use crate::support::databases::Database;
use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY};
use crate::support::issuer::Issuer;
use crate::support::raw::Raw;
use crate::support::{Service, flag, wait_until};

const HOUR: i64 = 3_600_000;

/// Every call of the admin listener that takes a body, with a credential that ends between the head
/// and the body of the request; with the database up, away, and held.
#[tokio::test]
async fn a_command_is_judged_by_its_credential_again_once_its_body_is_whole() {
    let takes_one =
        |(method, _, permission): &(&str, &str, &str)| *method == "post" && *permission != "anyone";
    let calls: Vec<_> =
        permissions().into_iter().filter(takes_one).map(|(_, path, _)| path).collect();
    assert!(calls.len() >= 9, "{calls:?}");
    let body = json!({ "reason": "before I go" }).to_string();
    for database in Database::ALL {
        let (clock, set_by_ms) = Clock::that_can_be_set();
        let chat = flag("chat", "rollout: { realtime-v2: 50% }");
        let mut service = Service::start_by(clock, &[("chat.yaml", &chat)]).await;
        service.copy_database("backup").await;
        let revoked = service.make_token("revoked", "admin", json!({})).await;
        let good = service.make_token("good", "admin", json!({})).await;
        let expires = json!({ "expiresAfterMs": HOUR / 2 });
        let expired = service.make_token("expired", "admin", expires).await;
        service.bring_database(database, "backup").await;
        for (kind, token) in [("expired", expired), ("revoked", revoked), ("good", good)] {
            let bearer = format!("Bearer {}", token.secret);
            let mut waiting = Vec::new();
            for path in &calls {
                let request =
                    format!("POST {}", path.replace("{flag}", "chat").replace("{id}", "unknown"));
                let headers = [("authorization", &*bearer)];
                let raw = Raw::that_sent_its_head(
                    service.app.admin_address(),
                    &request,
                    &headers,
                    body.len(),
                )
                .await;
                waiting.push((format!("{request} with the database {database:?}"), raw));
            }
            match kind {
                "revoked" => {
                    let done = service
                        .order(&format!("/v1/tokens/{}/revoke", token.id), json!({}))
                        .await
                        .status();
                    assert_eq!(done, if database == Database::There { 200 } else { 202 });
                }
                "expired" => {
                    set_by_ms.store(HOUR, Relaxed);
                    wait_until("its end", async || service.status_as(&token.secret).await == 401)
                        .await;
                }
                _ => {}
            }
            let position = service.app.coordinator().live().current().position();
            for (request, raw) in &mut waiting {
                raw.send(body.as_bytes()).await;
                let answer = raw.answer().await.unwrap();
                match kind {
                    "good" => {
                        assert!(
                            !answer.starts_with("401"),
                            "{request} by a {kind} token: {answer}"
                        );
                    }
                    _ => assert_eq!(
                        answer, "401 unauthenticated",
                        "{request} by a token that was {kind} meanwhile"
                    ),
                }
            }
            let (now, state) = (
                service.app.coordinator().live().current().position(),
                service.state("chat").await,
            );
            match kind {
                "good" => assert_eq!(state["state"], "stopped", "{state}"),
                _ => assert_eq!(
                    (state["state"].as_str(), now),
                    (Some("rollout"), position),
                    "{kind}: {state}"
                ),
            }
        }
    }
}

/// Every question that has a body, by a server and by a user whose credentials end between its head
/// and its body.
#[tokio::test]
async fn a_question_is_judged_by_its_credential_again_once_its_body_is_whole() {
    let issuer = Issuer::new(Algorithm::Es256, "k1");
    let guarded =
        ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Deny).await;
    let service = &guarded.service;
    let server = service.make_token("shop", "server", json!({})).await;
    let user = issuer.token("u-1");
    let body = json!({ "targetingKey": "u-1", "context": {} }).to_string();
    let native = json!({ "targetingKey": "u-1" }).to_string();
    let routes = [
        ("POST /v1/strategy/a", &native),
        ("POST /v1/strategy", &native),
        ("POST /v1/strategy/a/watch", &native),
        ("POST /v1/watch", &native),
        ("POST /ofrep/v1/evaluate/flags/a", &body),
        ("POST /ofrep/v1/evaluate/flags", &body),
    ];
    let bearer = |secret: &str| ("authorization", format!("Bearer {secret}"));
    for (who, header) in [
        ("a server token", bearer(&server.secret)),
        ("a server key", ("x-api-key", SERVER_KEY.to_owned())),
        ("a session", bearer(&user)),
    ] {
        let mut waiting = Vec::new();
        for (request, body) in routes {
            let headers = [(header.0, &*header.1)];
            let raw =
                Raw::that_sent_its_head(service.app.address(), request, &headers, body.len()).await;
            waiting.push((request, body, raw));
        }
        let headers: Vec<(&str, &[u8])> = vec![(header.0, header.1.as_bytes())];
        match who {
            "a server token" => {
                assert_eq!(
                    service
                        .order(&format!("/v1/tokens/{}/revoke", server.id), json!({}))
                        .await
                        .status(),
                    200
                );
            }
            "a server key" => fs::write(guarded.home.path().join("servers"), "").unwrap(),
            _ => fs::write(
                guarded.home.path().join("keys"),
                Issuer::new(Algorithm::Es256, "k1").jwks(),
            )
            .unwrap(),
        }
        wait_until("its end", async || {
            guarded
                .ask("POST /v1/strategy/a", &headers, json!({ "targetingKey": "u-1" }))
                .await
                .status()
                == 401
        })
        .await;
        for (request, body, raw) in &mut waiting {
            raw.send(body.as_bytes()).await;
            let answer = raw.answer().await.unwrap();
            let expected =
                if request.contains("/ofrep") { "401 GENERAL" } else { "401 unauthenticated" };
            assert_eq!(answer, expected, "{request} by {who} that ended meanwhile");
        }
    }
}

/// Changes of `admin.token`, and whether the token it held and the one it holds are accepted.
#[tokio::test]
async fn the_data_folders_own_token_ends_with_its_file() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let path = service.data.join("admin.token");
    let old = service.token();
    fs::remove_file(&path).unwrap();
    wait_until("the end of the deleted token", async || service.status_as(&old).await == 401).await;
    wait_until("a new one", async || path.exists()).await;
    let new = service.token();
    assert_ne!(new, old);
    assert_eq!(service.status_as(&new).await, 200);

    // Another token is put in its place by hand.
    fs::write(&path, "chosen-by-hand\n").unwrap();
    wait_until("the end of the replaced token", async || service.status_as(&new).await == 401)
        .await;
    assert_eq!(service.status_as("chosen-by-hand").await, 200);

    // Content that is not a token is reported and not overwritten.
    fs::write(&path, [0xff; 40]).unwrap();
    wait_until("the end of the spoiled token", async || {
        service.status_as("chosen-by-hand").await == 401
    })
    .await;
    service.reach_problems(|count| count == 1).await;
    assert_eq!(fs::read(&path).unwrap(), [0xff; 40]);
    fs::remove_file(&path).unwrap();
    service.reach_problems(|count| count == 0).await;
    assert_eq!(service.status_as(&service.token()).await, 200);
}

/// A token that was revoked or deleted stays ended when a backup or a tool puts its file back, under
/// the running server and before the next start.
#[tokio::test]
async fn an_ended_admin_token_that_is_put_back_is_not_accepted() {
    for is_revoked in [true, false] {
        let mut service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
        let path = service.data.join("admin.token");
        let (old, file) = (service.token(), fs::read(&path).unwrap());
        if is_revoked {
            let (status, reply) =
                service.order_as(&old, "/v1/tokens/local-admin/revoke", json!({})).await;
            assert_eq!(status, 200, "{reply}");
        } else {
            fs::remove_file(&path).unwrap();
        }
        wait_until("its end", async || service.status_as(&old).await == 401).await;
        wait_until("a new one", async || path.exists() && service.token() != old).await;

        fs::write(&path, &file).unwrap();
        wait_until("another one", async || path.exists() && service.token() != old).await;
        assert_eq!(service.status_as(&old).await, 401, "revoked: {is_revoked}");
        assert_eq!(service.status_as(&service.token()).await, 200, "revoked: {is_revoked}");

        service.stop().await;
        fs::write(&path, &file).unwrap();
        service.restart().await;
        assert_eq!(service.status_as(&old).await, 401, "revoked: {is_revoked}, after a restart");
        assert_ne!(service.token(), old);
        assert_eq!(service.status_as(&service.token()).await, 200, "revoked: {is_revoked}");
    }
}

/// Without room for a new token the old one ends all the same; while the folder cannot be read its
/// state is unknown, and the token stays.
#[tokio::test]
async fn a_deleted_token_ends_even_if_no_new_one_can_be_made() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let path = service.data.join("admin.token");
    let old = service.token();
    // The new token is first written to a file beside it: there is no room for that.
    let beside = service.data.join("admin.token.new");
    fs::create_dir(&beside).unwrap();
    fs::remove_file(&path).unwrap();
    wait_until("the end of the deleted token", async || service.status_as(&old).await == 401).await;
    service.reach_problems(|count| count == 1).await;
    fs::remove_dir(&beside).unwrap();
    wait_until("a new one", async || path.exists()).await;
    service.reach_problems(|count| count == 0).await;
    let new = service.token();
    assert_eq!(service.status_as(&new).await, 200);

    let away = service.data.with_extension("away");
    fs::rename(&service.data, &away).unwrap();
    wait_until("the problem that names the file", async || {
        let problems = service.call(Method::GET, "/v1/problems", Some(&new)).await;
        assert_eq!(problems.status(), 200, "the holder of the token can still stop");
        problems.text().await.unwrap().contains("admin-token")
    })
    .await;
    fs::rename(&away, &service.data).unwrap();
    wait_until("no such problem", async || {
        !service
            .call(Method::GET, "/v1/problems", Some(&new))
            .await
            .text()
            .await
            .unwrap()
            .contains("admin-token")
    })
    .await;
    assert_eq!(service.status_as(&new).await, 200);

    // The whole folder is deleted: that was not meant to end the token, and its holder may have to
    // stop a flag just then.
    fs::remove_dir_all(&service.data).unwrap();
    wait_until("the same token in the folder that took its place", async || {
        fs::read_to_string(&path).is_ok_and(|token| token.trim() == new)
    })
    .await;
    assert_eq!(service.status_as(&new).await, 200);
    // In the new folder it can be deleted like any other.
    fs::remove_file(&path).unwrap();
    wait_until("the end of the deleted token", async || service.status_as(&new).await == 401).await;
}

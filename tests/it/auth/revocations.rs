//! Creating and revoking credentials makes revisions: reported, chained, and never undone by an
//! older state of the database.

use std::fs;

use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::support::databases::Database;
use crate::support::operators::Token;
use crate::support::watcher::Watcher;
use crate::support::{Service, flag, wait_until};

const SPLIT: &str = "rollout: { realtime-v2: 50% }";

async fn start() -> Service {
    Service::start(&[("chat.yaml", &flag("chat", SPLIT))]).await
}

async fn revoke(service: &Service, which: &str) -> (u16, Json) {
    service.ordered(&format!("/v1/tokens/{which}/revoke"), json!({})).await
}

/// The tokens as the list shows them.
async fn list(service: &Service) -> Vec<Json> {
    let listed: Json = service.admin("/v1/tokens").await.json().await.unwrap();
    listed["tokens"].as_array().unwrap().clone()
}

/// Revisions, the newest first.
async fn history(service: &Service) -> Vec<Json> {
    let reply: Json = service.admin("/v1/history?limit=200").await.json().await.unwrap();
    reply["revisions"].as_array().unwrap().clone()
}

/// The history is sound against the head that this node keeps, which follows an accepted database
/// within moments.
async fn assert_sound(service: &Service) {
    wait_until("a sound history", async || {
        let verdict: Json = service.admin("/v1/history/verify").await.json().await.unwrap();
        verdict["sound"] == true
    })
    .await;
}

async fn kept_in_last_good(service: &Service, token: &Token) {
    let id = token.id.clone();
    wait_until("the revocation in the last good state", async || {
        let kept = fs::read(service.data.join("last-good")).unwrap_or_default();
        let kept = String::from_utf8_lossy(&kept).into_owned();
        kept.split(&id).skip(1).any(|rest| {
            rest.split("revokedAtMs\":")
                .nth(1)
                .is_some_and(|at| at.starts_with(|c: char| c.is_ascii_digit()))
        })
    })
    .await;
}

#[tokio::test]
async fn creating_and_revoking_tokens_is_recorded_in_the_history() {
    let service = start().await;
    let admin = service.make_token("mallory", "admin", json!({ "reason": "new colleague" })).await;
    let (status, made) = service
        .order_as(
            &admin.secret,
            "/v1/tokens",
            json!({ "name": "oncall", "role": "stopper", "flags": ["chat"] }),
        )
        .await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/v1/tokens/{}/revoke", made["id"].as_str().unwrap());
    let (status, revoked) =
        service.order_as(&admin.secret, &path, json!({ "reason": "leaked" })).await;
    assert_eq!(
        (status, revoked["outcome"].as_str(), revoked["survivesRestart"].as_bool()),
        (200, Some("committed"), Some(true))
    );

    let reply = history(&service).await;
    let row = |index: usize| {
        let (revision, change) = (&reply[index], &reply[index]["changes"][0]);
        let words = |member: &str| {
            change[member].as_str().map(|words| words.split(", until").next().unwrap().to_owned())
        };
        (
            revision["actor"].clone(),
            revision["actorId"].clone(),
            revision["reason"].clone(),
            change["action"].clone(),
            words("was"),
            words("is"),
        )
    };
    let stopper = Some("oncall: stopper, flags chat".to_owned());
    let by = json!(admin.id);
    assert_eq!(
        row(0),
        (
            json!("mallory"),
            by.clone(),
            json!("leaked"),
            json!("revoke"),
            stopper.clone(),
            Some("oncall: stopper, flags chat, REVOKED".to_owned())
        )
    );
    assert_eq!(row(1), (json!("mallory"), by, Json::Null, json!("create"), None, stopper));
    assert_eq!(
        row(2),
        (
            json!("local-admin"),
            Json::Null,
            json!("new colleague"),
            json!("create"),
            None,
            Some("mallory: admin".to_owned())
        )
    );
    for revision in &reply[..2] {
        let change = &revision["changes"][0];
        assert_eq!(
            (change["kind"].as_str(), &change["key"]),
            (Some("credential"), &made["id"]),
            "{revision}"
        );
    }
    let whole = json!(reply).to_string();
    for secret in [&admin.secret, made["secret"].as_str().unwrap()] {
        assert!(
            !whole.contains(secret) && !whole.contains(&crate::support::guarded::sha256(secret)),
            "{whole}"
        );
    }
    assert_sound(&service).await;
    let listed = list(&service).await;
    assert_eq!(
        (listed[1]["state"].as_str(), listed[1]["revokedBy"].as_str()),
        (Some("revoked"), Some("mallory")),
        "{listed:?}"
    );
    assert_eq!(
        (&listed[1]["revokedById"], &listed[1]["createdById"]),
        (&json!(admin.id), &json!(admin.id))
    );
}

/// Two credentials with one name, one after the other: the history and the flag distinguish what
/// each of them did.
#[tokio::test]
async fn the_history_names_the_credential_that_acted() {
    let service = start().await;
    let mut ids = Vec::new();
    for share in ["40%", "30%"] {
        let alice = service.make_token("alice", "operator", json!({})).await;
        let (status, done) = service
            .order_as(&alice.secret, "/v1/flags/chat/set", json!({ "realtime-v2": share }))
            .await;
        assert_eq!(status, 200, "{done}");
        let held = &service.state("chat").await["held"];
        assert_eq!((&held["by"], &held["byId"]), (&json!("alice"), &json!(alice.id)), "{held}");
        assert_eq!(history(&service).await[0]["actorId"], json!(alice.id));
        assert_eq!(revoke(&service, "alice").await.0, 200);
        ids.push(alice.id);
    }
    let reply = history(&service).await;
    let set: Vec<&Json> =
        reply.iter().filter(|revision| revision["changes"][0]["action"] == "set").collect();
    assert_eq!(
        (&set[0]["actorId"], &set[1]["actorId"]),
        (&json!(ids[1]), &json!(ids[0])),
        "{set:?}"
    );
    assert_sound(&service).await;
}

#[tokio::test]
async fn two_living_tokens_cannot_have_one_name() {
    let service = start().await;
    let first = service.make_token("alice", "viewer", json!({})).await;
    service.make_token("on-call", "viewer", json!({})).await;
    for name in ["alice", "Alice", "ALICE", "on_call", "On.Call"] {
        let (status, reply) =
            service.ordered("/v1/tokens", json!({ "name": name, "role": "viewer" })).await;
        assert_eq!((status, reply["code"].as_str()), (422, Some("name-taken")), "{name}: {reply}");
    }
    // A name means only a living credential; an id means exactly that one.
    assert_eq!(revoke(&service, "Alice").await.1["revoked"], json!(first.id));
    let second = service.make_token("alice", "viewer", json!({})).await;
    assert_eq!(revoke(&service, &first.id).await.0, 404);
    assert_eq!(revoke(&service, "alice").await.1["revoked"], json!(second.id));
    assert_eq!(revoke(&service, "alice").await.1["code"], "no-such-token");
}

/// Every caller may end the credential they show; only an admin may end another's.
#[tokio::test]
async fn every_caller_may_revoke_their_own_credential() {
    let service = start().await;
    let other = service.make_token("other", "viewer", json!({})).await;
    for role in ["server", "viewer", "stopper", "operator", "admin"] {
        let limits = if role == "stopper" { json!({ "flags": ["chat"] }) } else { json!({}) };
        for by_id in [false, true] {
            let token = service.make_token(&format!("{role}-{by_id}"), role, limits.clone()).await;
            for others in [&*other.id, "other", "unknown", "local-admin"]
                .into_iter()
                .filter(|_| role != "admin")
            {
                let (status, reply) = service
                    .order_as(&token.secret, &format!("/v1/tokens/{others}/revoke"), json!({}))
                    .await;
                assert_eq!(
                    (status, reply["code"].as_str()),
                    (403, Some("not-permitted")),
                    "{role}: {others}"
                );
            }
            let which = if by_id { &*token.id } else { "self" };
            let (status, reply) = service
                .order_as(&token.secret, &format!("/v1/tokens/{which}/revoke"), json!({}))
                .await;
            assert_eq!((status, &reply["revoked"]), (200, &json!(token.id)), "{role}: {reply}");
            let (status, _) = service
                .order_as(&token.secret, &format!("/v1/tokens/{which}/revoke"), json!({}))
                .await;
            assert_eq!(status, 401, "{role}");
        }
    }
    assert_eq!(service.status_as(&other.secret).await, 200);
}

/// The data folder's own token, revoked by its holder and by another admin: it ends at once, and
/// the file holds another one.
#[tokio::test]
async fn the_data_folders_own_token_can_be_revoked() {
    let mut service = start().await;
    for (which, by_another) in [("self", false), ("local-admin", false), ("LOCAL-ADMIN", true)] {
        let (old, revisions) = (service.token(), history(&service).await.len());
        let by = if by_another {
            service.make_token("other", "admin", json!({})).await.secret
        } else {
            old.clone()
        };
        let (status, reply) =
            service.order_as(&by, &format!("/v1/tokens/{which}/revoke"), json!({})).await;
        assert_eq!((status, reply["revoked"].as_str()), (200, Some("local-admin")), "{reply}");
        assert_eq!(service.status_as(&old).await, 401, "{which}");
        assert_ne!(service.token(), old);
        assert_eq!(service.status_as(&service.token()).await, 200, "{which}");
        // The token is its node's alone, and stands in no revision.
        assert_eq!(history(&service).await.len(), revisions + usize::from(by_another));
    }
    // No room for a new token or for the list of ended ones, and a file that cannot be removed: the
    // token is ended for as long as this process runs, and the response says so.
    let (old, path) = (service.token(), service.data.join("admin.token"));
    let other = service.make_token("another", "admin", json!({})).await.secret;
    fs::create_dir(service.data.join("admin.token.new")).unwrap();
    fs::create_dir(service.data.join("admin.token.ended.new")).unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir_all(path.join("in the way")).unwrap();
    let (status, reply) =
        service.order_as(&other, "/v1/tokens/local-admin/revoke", json!({})).await;
    assert_eq!((status, reply["survivesRestart"].as_bool()), (202, Some(false)), "{reply}");
    assert_eq!(service.status_as(&old).await, 401);
    // Putting the ended token back has no effect.
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, &old).unwrap();
    fs::remove_dir(service.data.join("admin.token.new")).unwrap();
    wait_until("another token", async || {
        fs::read_to_string(&path).is_ok_and(|token| !token.is_empty() && token.trim() != old)
    })
    .await;
    assert_eq!(
        (service.status_as(&old).await, service.status_as(&service.token()).await),
        (401, 200)
    );
    service.stop().await;
}

/// A leaked token is ended at once, whatever state the database is in, and stays so over a kill and
/// when the database is back.
#[tokio::test]
async fn a_revocation_needs_no_database() {
    for database in [Database::Away, Database::Held] {
        let mut service = start().await;
        service.copy_database("backup").await;
        let token = service.make_token("leaked", "stopper", json!({})).await;
        service.bring_database(database, "backup").await;
        assert_eq!(service.status_as(&token.secret).await, 200, "{database:?}");
        let (status, reply) = revoke(&service, &token.id).await;
        assert_eq!(
            (status, reply["outcome"].as_str(), reply["survivesRestart"].as_bool()),
            (202, Some("pending"), Some(true)),
            "{reply}"
        );
        assert_eq!(service.status_as(&token.secret).await, 401, "{database:?}");
        let (status, stop) =
            service.order_as(&token.secret, "/v1/flags/chat/stop", json!({})).await;
        assert_eq!(status, 401, "{database:?}: {stop}");
        service.crash().await;
        service.restart().await;
        assert_eq!(service.status_as(&token.secret).await, 401, "{database:?}, after a kill");
        match database {
            Database::Away => service.bring_database_back().await,
            _ => {
                service.stop().await;
                service.accept_database().await;
            }
        }
        assert_eq!(
            service.status_as(&token.secret).await,
            401,
            "{database:?}, with the database back"
        );
        wait_until("the revocation in the history", async || {
            history(&service).await.iter().any(|revision| {
                let mut changes = revision["changes"].as_array().unwrap().iter();
                changes
                    .any(|change| change["action"] == "revoke" && change["key"] == json!(token.id))
            })
        })
        .await;
        assert_sound(&service).await;
        // Creating a token widens: it waits for the database.
        service.take_database_away().await;
        let (status, reply) =
            service.ordered("/v1/tokens", json!({ "name": "another", "role": "viewer" })).await;
        assert_eq!((status, reply["code"].as_str()), (503, Some("database-down")), "{reply}");
    }
}

/// Whatever state of the database is restored and accepted: what was revoked stays revoked, and the
/// history says so.
#[tokio::test]
async fn a_restored_backup_revives_no_credential() {
    for with_the_token in [true, false] {
        let mut service = start().await;
        if !with_the_token {
            service.copy_database("before").await;
        }
        let token = service.make_token("leaked", "admin", json!({})).await;
        let kept = service.make_token("kept", "viewer", json!({})).await;
        service.copy_database("with-the-token").await;
        assert_eq!(revoke(&service, &token.id).await.0, 200);
        kept_in_last_good(&service, &token).await;
        service.put_back_database(if with_the_token { "with-the-token" } else { "before" }).await;
        service.restart().await;
        assert_eq!(service.database_state().await, "held");
        assert_eq!(
            (service.status_as(&token.secret).await, service.status_as(&kept.secret).await),
            (401, 200),
            "held"
        );
        service.stop().await;
        service.accept_database().await;
        assert_eq!(service.database_state().await, "up");
        assert_eq!(service.status_as(&token.secret).await, 401, "accepted");
        assert_eq!(
            service.status_as(&kept.secret).await,
            if with_the_token { 200 } else { 401 },
            "what else it says is believed"
        );
        let reply = history(&service).await;
        let carried = reply.iter().find(|revision| revision["origin"] == "accept").unwrap();
        assert_eq!(
            (&carried["changes"][0]["action"], &carried["changes"][0]["key"]),
            (&json!("revoke"), &json!(token.id)),
            "{carried}"
        );
        assert_sound(&service).await;
        // Nor does a state from between the two, which is newer than what was accepted.
        if !with_the_token {
            service.put_back_database("with-the-token").await;
            service.accept_database().await;
            assert_eq!(service.status_as(&token.secret).await, 401, "a state from between");
        }
    }
}

/// A row that is put into the database by hand is not accepted as a credential, in whichever table.
#[tokio::test]
async fn a_row_put_in_by_hand_is_not_a_credential() {
    let mut service = start().await;
    service.stop().await;
    let mut database =
        SqliteConnectOptions::new().filename(service.database()).connect().await.unwrap();
    let hash = crate::support::guarded::sha256("put-in-by-hand");
    sqlx::query(
        "INSERT INTO tokens VALUES ('abc', 'ghost', 'admin', NULL, $1, 0, 'x', NULL, NULL)",
    )
    .bind(hash)
    .execute(&mut database)
    .await
    .unwrap();
    database.close().await.unwrap();
    service.restart().await;
    assert_eq!(service.status_as("put-in-by-hand").await, 401);
    assert!(list(&service).await.is_empty());
}

/// The tables of a build in which credentials were not revisions yet: its tokens are good from the
/// first start on, and those it had revoked are not.
#[tokio::test]
async fn tokens_of_an_older_build_are_migrated() {
    let mut service = start().await;
    service.stop().await;
    fs::remove_file(service.data.join("last-good")).unwrap();
    let mut database =
        SqliteConnectOptions::new().filename(service.database()).connect().await.unwrap();
    for statement in [
        "ALTER TABLE revisions DROP COLUMN actor_id",
        "DROP TABLE formats",
        "DELETE FROM _sqlx_migrations WHERE version >= 3",
        "DELETE FROM cursors",
    ] {
        sqlx::query(statement).execute(&mut database).await.unwrap();
    }
    let far = 4_000_000_000_000_i64;
    let rows = [
        ("01", "Jörg M.", "operator", far, None),
        ("02", "old", "viewer", 5, None),
        ("03", "leaked", "admin", far, Some(7_i64)),
    ];
    for (id, name, role, ends, revoked) in rows {
        sqlx::query("INSERT INTO tokens VALUES ($1, $2, $3, NULL, $4, 1, 'local-admin', $5, $6)")
            .bind(id)
            .bind(name)
            .bind(role)
            .bind(crate::support::guarded::sha256(id))
            .bind(ends)
            .bind(revoked)
            .execute(&mut database)
            .await
            .unwrap();
    }
    database.close().await.unwrap();
    for round in 0..2 {
        service.restart().await;
        for (secret, status) in [("01", 200), ("02", 401), ("03", 401)] {
            assert_eq!(service.status_as(secret).await, status, "{secret}, start {round}");
        }
        let reply = history(&service).await;
        assert_eq!(reply.len(), 2, "{reply:?}");
        let changes = reply[0]["changes"].as_array().unwrap();
        let keys: Vec<&str> =
            changes.iter().map(|change| change["key"].as_str().unwrap()).collect();
        assert_eq!(
            (reply[0]["actor"].as_str(), reply[0]["origin"].as_str(), keys),
            (Some("turnout"), Some("upgrade"), vec!["01", "03"])
        );
        assert_sound(&service).await;
        service.stop().await;
    }
    service.restart().await;
    assert_eq!(revoke(&service, "01").await.0, 200);
    assert_eq!(service.status_as("01").await, 401);
    assert_sound(&service).await;
}

/// Flags, their documents and their streams are not affected by credentials.
#[tokio::test]
async fn a_revision_of_credentials_alone_changes_no_flag() {
    let service = start().await;
    let mut stream = Watcher::of_user(&service, "chat", "u-1").await;
    let first = stream.next().await;
    let all = async || {
        let headers = |response: reqwest::Response| {
            let of = |name: &str| {
                response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
            };
            (of("etag"), of("turnout-flag-revision"))
        };
        let one = headers(
            service.post("/v1/strategy/chat", json!({ "targetingKey": "u-1" }).to_string()).await,
        );
        let bulk = headers(
            service
                .post(
                    "/ofrep/v1/evaluate/flags",
                    json!({ "context": { "targetingKey": "u-1" } }).to_string(),
                )
                .await,
        );
        (one, bulk, service.state("chat").await["revision"].clone())
    };
    let before = all().await;
    let token = service.make_token("oncall", "stopper", json!({})).await;
    assert_eq!(revoke(&service, &token.id).await.0, 200);
    assert_eq!(all().await, before);
    // The OFREP configuration tag is unchanged, for a question and for a new stream.
    let (_, (tag, _), _) = before;
    let known = service.client.post(service.url("/ofrep/v1/evaluate/flags?flagConfigEtag=r1"));
    let known = known
        .header("if-none-match", tag.unwrap())
        .body(json!({ "context": { "targetingKey": "u-1" } }).to_string());
    assert_eq!(known.send().await.unwrap().status(), 304);
    let mut events =
        Watcher::of(service.client.get(service.url("/ofrep/v1/events")).send().await.unwrap());
    assert_eq!(events.next().await.data["etag"], "r1");
    let reply = service
        .order("/v1/flags/chat/set", json!({ "realtime-v2": "0%", "expectedRevision": 1 }))
        .await;
    assert_eq!(reply.status(), 200);
    // The first event of the stream is the flag's own change.
    let next = stream.next_state().await;
    assert_ne!(next.data["etag"], first.data["etag"]);
}

/// A hook that stops flags must not notice its end only by being refused.
#[tokio::test]
async fn a_token_that_ends_soon_is_a_problem() {
    let service = start().await;
    let problems = async || {
        let reply: Json = service.admin("/v1/problems").await.json().await.unwrap();
        let of_kind = reply["problems"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|problem| problem["code"] == "token-ends")
            .cloned();
        of_kind.map(|problem| problem["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let metric = async || {
        let text = service.admin("/metrics").await.text().await.unwrap();
        let line =
            text.lines().find(|line| line.starts_with("turnout_token_expires_timestamp_seconds "));
        line.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as i64)
    };
    assert_eq!((problems().await.len(), metric().await), (0, None));
    let day = 86_400_000_i64;
    service.make_token("far", "viewer", json!({ "expiresAfterMs": 15 * day })).await;
    assert_eq!(problems().await.len(), 0);
    let far = metric().await.unwrap();
    let soon =
        service.make_token("alert-hook", "stopper", json!({ "expiresAfterMs": 13 * day })).await;
    assert!(metric().await.unwrap() < far);
    let reply = problems().await;
    assert!(
        reply.len() == 1
            && reply[0].contains("`alert-hook` (stopper, ")
            && reply[0].contains("ends: 2"),
        "{reply:?}"
    );
    assert_eq!(revoke(&service, &soon.id).await.0, 200);
    assert_eq!((problems().await.len(), metric().await), (0, Some(far)));
    // A token that has ended stays a problem until there is another one with its name.
    let gone = service.make_token("hook", "stopper", json!({ "expiresAfterMs": 1 })).await;
    wait_until("its end", async || service.status_as(&gone.secret).await == 401).await;
    wait_until("the problem", async || {
        problems()
            .await
            .iter()
            .any(|message| message.contains("`hook`") && message.contains("has ended"))
    })
    .await;
    service.make_token("hook", "stopper", json!({})).await;
    assert_eq!(problems().await.len(), 0);
}

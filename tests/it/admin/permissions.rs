//! Who may make which call of the admin listener: every route, by every method, with every kind of
//! credential, against the one table.

use std::collections::BTreeMap;

use crate::support::databases::Database;
use crate::support::{Service, flag};
use reqwest::{Method, Response};
use serde_json::{Value as Json, json};
use turnout::http::permissions;

/// What each kind of credential may do; an unknown credential may do nothing. Calls with permission
/// `own` are made for another's credential here, which takes an admin.
const MAY: [(&str, &[&str]); 9] = [
    ("no token", &["anyone"]),
    ("wrong", &["anyone"]),
    ("expired", &["anyone"]),
    ("revoked", &["anyone"]),
    ("server", &["anyone"]),
    ("viewer", &["anyone", "read"]),
    ("stopper", &["anyone", "read", "narrow"]),
    ("operator", &["anyone", "read", "narrow", "write"]),
    ("admin", &["anyone", "read", "narrow", "write", "admin", "own"]),
];
const STRANGERS: [&str; 4] = ["no token", "wrong", "expired", "revoked"];
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const UNKNOWN: [&str; 6] =
    ["/", "/v1", "/v1/flags", "/v1/flags/chat/burn", "/v1/status/", "/v1/tokens/x"];

/// The permission a call takes; most combinations have none declared.
fn declared(method: &str, path: &str) -> Option<&'static str> {
    let method = if method == "HEAD" { "GET" } else { method };
    let declared = permissions()
        .into_iter()
        .find(|(known, at, _)| known.eq_ignore_ascii_case(method) && *at == path);
    declared.map(|(.., permission)| permission)
}

async fn secrets(service: &Service) -> BTreeMap<&'static str, Option<String>> {
    let mut secrets =
        BTreeMap::from([("no token", None), ("wrong", Some("turnout-admin-wrong".to_owned()))]);
    secrets.insert("expired", Some(service.expired_token("admin").await.secret));
    secrets.insert("revoked", Some(service.revoked_token("admin").await.secret));
    for role in ["server", "viewer", "stopper", "operator", "admin"] {
        secrets.insert(
            role,
            Some(service.make_token(&format!("a-{role}"), role, json!({})).await.secret),
        );
    }
    secrets
}

/// A refusal is complete: problem details, and how to authenticate.
async fn check_refusal(shown: &str, response: Response, status: u16, code: &str) {
    assert_eq!(response.status(), status, "{shown}");
    let header =
        |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("content-type").as_deref(), Some("application/problem+json"), "{shown}");
    assert_eq!(
        header("www-authenticate").as_deref(),
        (status == 401).then_some("Bearer"),
        "{shown}"
    );
    assert_eq!(
        header("allow").is_some(),
        status == 405,
        "{shown}: the methods of an address are told to those who may look"
    );
    let text = response.text().await.unwrap();
    if shown.starts_with("HEAD") {
        assert_eq!(text, "", "{shown}");
        return;
    }
    let problem: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (problem["status"].as_u64(), problem["code"].as_str()),
        (Some(status.into()), Some(code)),
        "{shown}"
    );
    for member in ["title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{shown}: {member}");
    }
    assert_eq!(problem.as_object().unwrap().len(), 4, "{shown}");
}

/// Also with the database away, and with a held database: permissions are the same then.
#[tokio::test]
async fn every_call_needs_its_permission_and_undeclared_calls_are_denied() {
    for database in Database::ALL {
        let mut service =
            Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 50% }"))]).await;
        service.copy_database("backup").await;
        let secrets = secrets(&service).await;
        service.bring_database(database, "backup").await;
        walk(&service, &secrets, database).await;
    }
}

async fn walk(
    service: &Service,
    secrets: &BTreeMap<&'static str, Option<String>>,
    database: Database,
) {
    let mut paths: Vec<&str> = permissions().into_iter().map(|(_, path, _)| path).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut seen = 0;
    for path in paths.iter().chain(&UNKNOWN) {
        let is_known = paths.contains(path);
        let target = path.replace("{flag}", "chat").replace("{id}", "unknown");
        for method in METHODS {
            for (who, may) in MAY {
                let secret = secrets[who].as_deref();
                let response = service.call(method.parse().unwrap(), &target, secret).await;
                let status = response.status().as_u16();
                let shown = format!("{method} {target} by {who}, with the database {database:?}");
                seen += 1;
                match declared(method, path) {
                    Some(permission) if may.contains(&permission) => {
                        // The request passed the permission check: other errors do not matter here,
                        // except that a split would widen.
                        let problem: Json = serde_json::from_str(&response.text().await.unwrap())
                            .unwrap_or_default();
                        let denied = status == 401
                            || (status == 403 && problem["code"] != "may-only-narrow");
                        assert!(!denied, "{shown}: {status} {problem}");
                    }
                    _ if STRANGERS.contains(&who) => {
                        check_refusal(&shown, response, 401, "unauthenticated").await;
                    }
                    None if who == "server" => {
                        check_refusal(&shown, response, 403, "not-permitted").await;
                    }
                    Some(_) => check_refusal(&shown, response, 403, "not-permitted").await,
                    None if is_known => {
                        check_refusal(&shown, response, 405, "no-such-method").await;
                    }
                    None => check_refusal(&shown, response, 404, "no-such-route").await,
                }
            }
        }
    }
    assert_eq!(seen, (paths.len() + UNKNOWN.len()) * METHODS.len() * MAY.len());
}

/// Byte for byte, and in every header except the date.
#[tokio::test]
async fn a_stranger_learns_nothing_about_what_exists() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let mut known = None;
    for path in [
        "/v1/nowhere",
        "/v1/status",
        "/v1/flags/chat",
        "/v1/flags/none",
        "/v1/flags/chat/stop",
        "/v1/tokens",
        "/metrics",
    ] {
        for method in METHODS {
            for secret in [None, Some("wrong"), Some("")] {
                let response = service.call(method.parse().unwrap(), path, secret).await;
                let mut headers: Vec<_> = response
                    .headers()
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                headers.retain(|(name, _)| name != "date");
                headers.sort_by_key(|(name, _)| name.to_string());
                let status = response.status();
                let body = response.text().await.unwrap();
                let body = if method == "HEAD" { None } else { Some(body) };
                let reply = (status, headers, body.clone());
                let first = known.get_or_insert_with(|| reply.clone());
                assert_eq!((&reply.0, &reply.1), (&first.0, &first.1), "{method} {path}");
                assert!(body.is_none() || body == first.2, "{method} {path}");
            }
        }
    }
}

/// Which ways of presenting a good token are accepted.
#[tokio::test]
async fn exactly_one_bearer_token_in_one_header_is_accepted() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let secret = service.token();
    let basic = format!("Basic {secret}");
    let good = format!("Bearer {secret}");
    for (headers, status) in [
        (vec![("authorization", good.clone())], 200),
        (vec![("authorization", format!("bEARER {secret}"))], 200),
        (vec![("authorization", basic)], 401),
        (vec![("authorization", secret.clone())], 401),
        (vec![("authorization", format!("Bearer{secret}"))], 401),
        (vec![("authorization", format!("{good}x"))], 401),
        (vec![("authorization", good[..good.len() - 1].to_owned())], 401),
        (vec![("authorization", format!("{good}, {good}"))], 401),
        (vec![("authorization", good.clone()), ("authorization", good.clone())], 401),
        (
            vec![("authorization", "Bearer unknown".to_owned()), ("authorization", good.clone())],
            401,
        ),
        (vec![("x-api-key", secret.clone())], 401),
        (vec![("cookie", format!("token={secret}"))], 401),
        (vec![("authorization", format!("Bearer {}", "a".repeat(4096)))], 401),
    ] {
        let request = service.client.get(service.admin_url("/v1/status"));
        let shown: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        assert_eq!(request.send().await.unwrap().status(), status, "{shown:?}");
    }
    let in_address =
        service.call(Method::GET, &format!("/v1/status?access_token={secret}"), None).await;
    assert_eq!(in_address.status(), 401);
}

#[tokio::test]
async fn a_token_reaches_the_flags_it_is_limited_to() {
    let half = |key: &str| flag(key, "rollout: { realtime-v2: 50% }");
    let service =
        Service::start(&[("chat.yaml", &half("chat")), ("feed.yaml", &half("feed"))]).await;
    for role in ["stopper", "operator"] {
        let token = service
            .make_token(&format!("limited-{role}"), role, json!({ "flags": ["chat"] }))
            .await;
        let orders = [
            ("set", json!({ "realtime-v2": "10%" })),
            ("unset", json!({})),
            ("stop", json!({})),
            ("rollback", json!({})),
            ("resume", json!({ "reason": "fixed" })),
        ];
        for (verb, body) in orders {
            if (role, verb) == ("stopper", "resume") {
                continue;
            }
            let (status, answer) = service
                .order_as(&token.secret, &format!("/v1/flags/feed/{verb}"), body.clone())
                .await;
            assert_eq!(
                (status, answer["code"].as_str()),
                (403, Some("flag-not-permitted")),
                "{role} {verb}"
            );
            let (_, answer) =
                service.order_as(&token.secret, &format!("/v1/flags/chat/{verb}"), body).await;
            assert_ne!(answer["code"], "flag-not-permitted", "{role} {verb}");
            // A flag that does not exist cannot be distinguished from one the token does not reach.
            let (status, answer) =
                service.order_as(&token.secret, &format!("/v1/flags/none/{verb}"), json!({})).await;
            assert_eq!(
                (status, answer["code"].as_str()),
                (403, Some("flag-not-permitted")),
                "{role} {verb}"
            );
        }
        let (status, answer) = service.order_as(&token.secret, "/v1/stop", json!({})).await;
        assert_eq!(
            (status, answer["code"].as_str()),
            (403, Some("flag-not-permitted")),
            "{role} stop --all"
        );
        assert_eq!(service.state("feed").await["state"], "rollout");
        service.ordered("/v1/flags/chat/resume", json!({ "reason": "again" })).await;
        service.ordered("/v1/flags/chat/unset", json!({ "reason": "again" })).await;
    }
    // Limits that would have no effect are refused.
    for role in ["viewer", "admin", "server"] {
        let (status, answer) = service
            .ordered("/v1/tokens", json!({ "name": "limited", "role": role, "flags": ["chat"] }))
            .await;
        assert_eq!((status, answer["code"].as_str()), (400, Some("invalid-request")), "{role}");
    }
}

#[tokio::test]
async fn server_tokens_ask_questions_and_operator_tokens_do_not() {
    let a = flag("a", "allow: [{ emails: [ops@example.com], strategy: realtime-v2 }]");
    let access = turnout::config::AuthConfig {
        unverified: turnout::auth::AnonymousAccess::Deny,
        ..Default::default()
    };
    let service = Service::start_guarded(&[("a.yaml", &a)], access).await;
    let body =
        json!({ "targetingKey": "u-1", "attributes": { "email": "ops@example.com" } }).to_string();
    let ask = async |secret: &str| {
        let bearer = service
            .client
            .post(service.url("/v1/strategy/a"))
            .bearer_auth(secret)
            .body(body.clone());
        let key = service
            .client
            .post(service.url("/v1/strategy/a"))
            .header("x-api-key", secret)
            .body(body.clone());
        let (bearer, key) = (bearer.send().await.unwrap(), key.send().await.unwrap());
        assert_eq!(bearer.status(), key.status());
        let answer: Json = bearer.json().await.unwrap();
        answer["strategy"].as_str().or(answer["code"].as_str()).unwrap().to_owned()
    };
    let server = service.make_token("shop", "server", json!({})).await;
    // A server's attributes count as verified.
    assert_eq!(ask(&server.secret).await, "realtime-v2");
    for role in ["viewer", "stopper", "operator", "admin"] {
        assert_eq!(
            ask(&service.make_token(&format!("a-{role}"), role, json!({})).await.secret).await,
            "unauthenticated",
            "{role}"
        );
    }
    assert_eq!(ask(&service.token()).await, "unauthenticated", "the data folder's own");
    assert_eq!(ask(&service.expired_token("server").await.secret).await, "unauthenticated");
    assert_eq!(ask(&service.revoked_token("server").await.secret).await, "unauthenticated");
    // Revoked at once, also on a connection that is already open.
    assert_eq!(
        service.order(&format!("/v1/tokens/{}/revoke", server.id), json!({})).await.status(),
        200
    );
    assert_eq!(ask(&server.secret).await, "unauthenticated");
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_revoking_again_changes_nothing() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    for role in ["viewer", "stopper", "operator", "admin"] {
        let token = service.make_token("short", role, json!({})).await;
        assert_eq!(
            service.call(Method::GET, "/v1/status", Some(&token.secret)).await.status(),
            200,
            "{role}"
        );
        let path = format!("/v1/tokens/{}/revoke", token.id);
        assert_eq!(service.order(&path, json!({})).await.status(), 200, "{role}");
        assert_eq!(
            service.call(Method::GET, "/v1/status", Some(&token.secret)).await.status(),
            401,
            "{role}"
        );
        let (status, again) = service.ordered(&path, json!({})).await;
        assert_eq!((status, again["code"].as_str()), (404, Some("no-such-token")), "{role}");
    }
    // An admin may revoke its own token, and a path that is not valid text names no token.
    let admin = service.make_token("mine", "admin", json!({})).await;
    assert_eq!(
        service
            .order_as(&admin.secret, &format!("/v1/tokens/{}/revoke", admin.id), json!({}))
            .await
            .0,
        200
    );
    let (status, answer) = service.ordered("/v1/tokens/%ff%fe/revoke", json!({})).await;
    assert_eq!((status, answer["code"].as_str()), (404, Some("no-such-token")));
    // Tokens survive a restart of the service.
    let listed: Json = service.admin("/v1/tokens").await.json().await.unwrap();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 5);
}

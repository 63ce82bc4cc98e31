//! The admin listener's OpenAPI document is true: every response seen is documented in status,
//! headers and shape, and nearly every documented one is seen.

use std::collections::BTreeSet;

use crate::support::contract::{Contract, closed};
use crate::support::readings::{AT_ONCE, WAITING_OF_CALLER};
use crate::support::{Service, flag};
use reqwest::Method;
use serde_json::{Value as Json, json};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use turnout::auth::TokenId;
use turnout::http::{Source, admin_document};
use turnout::ledger::ContentHash;

/// Responses that would take ten seconds, a full disk or a database that is unreadable.
fn not_seen(operation: &str, status: &str) -> bool {
    let reads = ["history", "verifyHistory"].contains(&operation);
    let of_feeds = matches!(
        operation,
        "adminPoll" | "adminPublish" | "adminDeleteStream" | "adminListStreams"
    );
    matches!(status, "408" | "507")
        || (of_feeds && matches!(status, "410" | "503"))
        // Without a key nothing is signed, which is seen on the public listener.
        || (status == "503" && matches!(operation, "createSession" | "revokeKey"))
        || (status == "503" && (reads || operation == "stop" || operation == "stopAll"))
}

/// One service, called as one of its operators.
struct Bench {
    service: Service,
    contract: Contract,
    secret: String,
}

impl Bench {
    async fn get(&mut self, template: &str, target: &str) -> Json {
        self.ask(Method::GET, template, target, "", None).await
    }

    async fn post(&mut self, template: &str, target: &str, body: Json) -> Json {
        self.ask(Method::POST, template, target, &body.to_string(), None).await
    }

    async fn order(&mut self, verb: &str, body: Json) -> Json {
        self.post(&format!("/v1/flags/{{flag}}/{verb}"), &format!("/v1/flags/chat/{verb}"), body)
            .await
    }

    async fn ask(
        &mut self,
        method: Method,
        template: &str,
        target: &str,
        body: &str,
        key: Option<&str>,
    ) -> Json {
        let bearer = format!("Bearer {}", self.secret);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.contract.check_as(&self.service, method, template, target, body, &headers).await
    }
}

#[tokio::test]
async fn every_admin_response_matches_its_documentation() {
    let chat = flag(
        "chat",
        "owner: team-a\nallow: [{ segment: staff, strategy: realtime-v2 }]\nrollout: { realtime-v2: 50% }",
    );
    let service = Service::start(&[
        ("chat.yaml", &chat),
        ("off.yaml", &flag("off", "").replace("enabled: true", "enabled: false")),
        ("white.yaml", &flag("white", "").replace("default: polling", "default: disabled")),
        ("broken.yaml", "version: 1\nflag: broken\nenabled: yes\n"),
        ("segments/staff.yaml", "version: 1\nsegment: staff\nusers: [u-1]\n"),
    ])
    .await;
    let contract = Contract::of(closed(admin_document()), Service::admin_url);
    let own = service.token();
    let mut bench = Bench { secret: own.clone(), service, contract };
    let paths: Vec<(String, Json)> =
        bench.contract.document["paths"].as_object().unwrap().clone().into_iter().collect();

    // Callers without permission, and how they are refused.
    let server = bench.service.make_token("shop", "server", json!({})).await.secret;
    let limited =
        bench.service.make_token("limited", "operator", json!({ "flags": ["off"] })).await.secret;
    let stopper = bench.service.make_token("pager", "stopper", json!({})).await.secret;
    for (path, methods) in &paths {
        let target =
            path.replace("{flag}", "chat").replace("{id}", "unknown").replace("{stream}", "b-1");
        for (method, operation) in methods.as_object().unwrap() {
            let (method, id) = (
                method.to_uppercase().parse::<Method>().unwrap(),
                operation["operationId"].as_str().unwrap(),
            );
            for secret in ["unknown", &server] {
                bench.secret = secret.to_owned();
                bench.ask(method.clone(), path, &target, "", None).await;
            }
            if (path.contains("{flag}/") && method == Method::POST && !path.ends_with("/explain"))
                || path == "/v1/stop"
            {
                bench.secret = limited.clone();
                assert_eq!(
                    bench.ask(method.clone(), path, &target, "", None).await["code"],
                    "flag-not-permitted"
                );
            }
            bench.secret = own.clone();
            let headers =
                [("host", "attacker.example"), ("authorization", &*format!("Bearer {own}"))];
            let reply =
                bench.contract.check_as(&bench.service, method, path, &target, "", &headers).await;
            assert_eq!(reply["code"], "wrong-host");
            let denied = bench.service.call(Method::PATCH, &target, Some(&own)).await;
            assert_eq!(denied.status(), 405);
            bench.contract.seen.insert((id.to_owned(), "405".to_owned()));
        }
        bench.ask(Method::PATCH, path, &target, "", None).await;
        if methods.get("post").is_some() {
            bench.ask(Method::POST, path, &target, "[]", None).await;
            bench.ask(Method::POST, path, &target, &" ".repeat(70_000), None).await;
            if path.starts_with("/v1/feeds/") {
                bench.ask(Method::POST, path, &target, &" ".repeat(300_000), None).await;
            }
        }
    }
    bench.secret = stopper;
    bench.order("set", json!({ "realtime-v2": "60%", "reason": "x" })).await;
    bench.secret = own.clone();

    // The responses before and after there is much to show.
    for round in 0..2 {
        for path in [
            "/healthz",
            "/metrics",
            "/v1/problems",
            "/v1/status",
            "/v1/convergence",
            "/v1/tokens",
            "/v1/history/verify",
        ] {
            bench.get(path, path).await;
        }
        for query in ["", "?limit=1", "?flag=chat&before=5&after=1", "?limit=0", "?nothing"] {
            bench.get("/v1/history", &format!("/v1/history{query}")).await;
        }
        for key in ["chat", "off", "white", "broken", "none"] {
            bench.get("/v1/flags/{flag}", &format!("/v1/flags/{key}")).await;
            bench
                .get("/v1/flags/{flag}/convergence", &format!("/v1/flags/{key}/convergence"))
                .await;
        }
        if round == 0 {
            change_much(&mut bench).await;
        }
    }
    for key in ["chat", "off", "white", "broken", "none"] {
        let question = json!({ "targetingKey": "u-1", "attributes": {}, "bucket": 5 });
        bench.post("/v1/flags/{flag}/explain", &format!("/v1/flags/{key}/explain"), question).await;
    }
    let hanging = bench.service.hang_readings(Source::Memory, AT_ONCE + WAITING_OF_CALLER).await;
    for path in
        ["/metrics", "/openapi.json", "/v1/problems", "/v1/status", "/v1/convergence", "/v1/tokens"]
    {
        assert_eq!(bench.get(path, path).await["code"], "busy", "{path}");
    }
    bench.get("/v1/flags/{flag}", "/v1/flags/chat").await;
    bench.get("/v1/flags/{flag}/convergence", "/v1/flags/chat/convergence").await;
    bench.post("/v1/flags/{flag}/explain", "/v1/flags/chat/explain", json!({})).await;
    hanging.let_go().await;
    feeds(&mut bench).await;
    keys(&mut bench).await;
    for secret in [&*own, "another"] {
        let token = TokenId::of(ContentHash::of(secret.as_bytes()));
        bench
            .post(
                "/v1/hello",
                "/v1/hello",
                json!({ "nonce": "n".repeat(32), "token": token.to_string() }),
            )
            .await;
    }
    let served = bench.get("/openapi.json", "/openapi.json").await;
    assert_eq!(served, admin_document());

    let gone = bench.contract.promised();
    let missing: BTreeSet<_> = gone
        .difference(&bench.contract.seen)
        .filter(|(id, status)| !not_seen(id, status))
        .collect();
    assert!(missing.is_empty(), "promised and never seen: {missing:?}");
}

async fn feeds(bench: &mut Bench) {
    const STREAM: &str = "/v1/feeds/{flag}/{stream}";
    let body = |data: u32| json!({ "events": [{ "id": "e-1", "type": "t", "data": data }] });
    for (target, data) in [("chat/b-1", 1), ("chat/b-1", 2), ("none/b-1", 1), ("chat/-x", 1)] {
        bench.post(STREAM, &format!("/v1/feeds/{target}"), body(data)).await;
    }
    let old = bench.get(STREAM, "/v1/feeds/chat/b-1").await["cursor"].to_string();
    for target in ["/v1/feeds/chat", "/v1/feeds/chat?after=..", "/v1/feeds/none"] {
        bench.get("/v1/feeds/{flag}", target).await;
    }
    for target in ["chat/b-1", "chat/b-1", "none/b-1"] {
        bench.ask(Method::DELETE, STREAM, &format!("/v1/feeds/{target}"), "", None).await;
    }
    bench.post(STREAM, "/v1/feeds/chat/b-1", body(1)).await;
    let old = old.trim_matches('"');
    for query in ["?limit=0", "?cursor=x", &format!("?cursor={old}")] {
        bench.get(STREAM, &format!("/v1/feeds/chat/b-1{query}")).await;
    }
    bench.get(STREAM, "/v1/feeds/none/b-1").await;
    let hanging = bench.service.hang_readings(Source::Database, AT_ONCE + WAITING_OF_CALLER).await;
    assert_eq!(bench.get("/v1/feeds/{flag}", "/v1/feeds/chat").await["code"], "busy");
    assert_eq!(bench.get(STREAM, "/v1/feeds/chat/b-1").await["code"], "busy");
    hanging.let_go().await;
}

/// The keys of our own sessions, until there are as many as may.
async fn keys(bench: &mut Bench) {
    let (session, rotate) = ("/v1/sessions", "/v1/keys/rotate");
    let revoke = async |bench: &mut Bench, id: &str| {
        bench.post("/v1/keys/{id}/revoke", &format!("/v1/keys/{id}/revoke"), json!({})).await
    };
    bench.post(session, session, json!({ "targetingKey": "u-1" })).await;
    let revoke_sessions = "/v1/sessions/revoke";
    bench.post(revoke_sessions, revoke_sessions, json!({ "targetingKey": "u-1" })).await;
    bench.post(revoke_sessions, revoke_sessions, json!({})).await;
    let revoked = bench.service.data.join("revoked-sessions");
    std::fs::remove_file(&revoked).unwrap();
    std::fs::create_dir(&revoked).unwrap();
    let reply =
        bench.post(revoke_sessions, revoke_sessions, json!({ "targetingKey": "u-2" })).await;
    assert_eq!(reply["survivesRestart"], false);
    let listed = bench.get("/v1/keys", "/v1/keys").await;
    let first = listed["keys"][0]["id"].as_str().unwrap().to_owned();
    while bench.post(rotate, rotate, json!({})).await["code"] != "too-many-keys" {}
    let second =
        bench.get("/v1/keys", "/v1/keys").await["keys"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(revoke(bench, &first).await["survivesRestart"], true);
    assert_eq!(revoke(bench, &first).await["code"], "no-such-key");
    // A folder in its place: what is revoked cannot be written down, and counts all the same.
    let path = bench.service.data.join("issuer.keys");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(revoke(bench, &second).await["survivesRestart"], false);
    assert_eq!(bench.post(rotate, rotate, json!({})).await["code"], "issuer-unavailable");
    std::fs::remove_dir(&path).unwrap();
    let hanging = bench.service.hang_readings(Source::Memory, AT_ONCE + WAITING_OF_CALLER).await;
    assert_eq!(bench.get("/v1/keys", "/v1/keys").await["code"], "busy");
    hanging.let_go().await;
}

/// Every verb, to each of its outcomes.
async fn change_much(bench: &mut Bench) {
    let set = |share: &str| json!({ "realtime-v2": share, "reason": "x" });
    for verb in ["set", "unset", "stop", "resume", "rollback"] {
        let template = format!("/v1/flags/{{flag}}/{verb}");
        let body = if verb == "set" { set("1%") } else { json!({ "reason": "x" }) };
        for key in ["none", "broken", "off"] {
            bench.post(&template, &format!("/v1/flags/{key}/{verb}"), body.clone()).await;
        }
    }
    bench
        .post(
            "/v1/flags/{flag}/set",
            "/v1/flags/white/set",
            json!({ "disabled": "1%", "reason": "x" }),
        )
        .await;
    bench.order("set", json!({ "realtime-v2": "60%" })).await;
    bench.order("set", json!({ "realtime-v2": "60%", "disabled": "60%", "reason": "x" })).await;
    bench.order("set", json!({ "realtime-v2": "60%", "reason": "x", "forMs": 3_600_000 })).await;
    bench
        .order(
            "set",
            json!({ "realtime-v2": "70%", "reason": "x", "forMs": 3_600_000, "then": "5%" }),
        )
        .await;
    for (verb, body) in [("set", set("99%")), ("unset", json!({})), ("rollback", json!({}))] {
        let stale = |mut body: Json| {
            (body["expectedRevision"], body["reason"]) = (json!(0), json!("x"));
            body
        };
        bench.order("set", set("1%")).await;
        assert_eq!(bench.order(verb, stale(body)).await["code"], "revision-conflict", "{verb}");
    }
    let unset = |reason: Json| json!({ "reason": reason });
    bench.order("unset", unset(json!(null))).await;
    bench.order("unset", unset(json!("x"))).await;
    // An earlier definition, pinned.
    let text = std::fs::read_to_string(bench.service.flags.join("chat.yaml")).unwrap();
    let revision = bench.service.revision();
    std::fs::write(
        bench.service.flags.join("chat.yaml"),
        text.replace("team-a", "team-b") + "deny: [{ users: [u-9] }]\n",
    )
    .unwrap();
    bench.service.reach(revision + 1).await;
    let pinned = bench.order("rollback", json!({ "reason": "x" })).await;
    assert!(pinned["flag"]["pin"].is_object(), "{pinned}");
    bench.order("rollback", json!({ "to": 9999 })).await;
    bench.order("stop", json!({ "reason": "incident" })).await;
    bench.order("resume", json!({})).await;
    bench.order("resume", json!({ "reason": "x", "expectedRevision": 0 })).await;
    bench.order("resume", json!({ "reason": "x", "at": "2%" })).await;
    bench.order("resume", json!({ "reason": "x", "at": "2%" })).await;
    for (template, target) in [
        ("/v1/stop", "/v1/stop"),
        ("/v1/flags/{flag}/stop", "/v1/flags/chat/stop"),
        ("/v1/stop", "/v1/stop"),
    ] {
        bench.ask(Method::POST, template, target, "", Some("key")).await;
        bench.ask(Method::POST, template, target, "{}", Some("key")).await;
    }
    bench.ask(Method::POST, "/v1/flags/{flag}/stop", "/v1/flags/off/stop", "{}", Some("key")).await;
    for key in ["chat", "off", "white", "broken"] {
        bench
            .post(
                "/v1/flags/{flag}/resume",
                &format!("/v1/flags/{key}/resume"),
                json!({ "reason": "x" }),
            )
            .await;
    }
    let made = bench
        .post(
            "/v1/tokens",
            "/v1/tokens",
            json!({ "name": "a", "role": "operator", "flags": ["chat"] }),
        )
        .await;
    let revoke = format!("/v1/tokens/{}/revoke", made["id"].as_str().unwrap());
    bench.post("/v1/tokens", "/v1/tokens", json!({ "name": "A", "role": "viewer" })).await;
    bench.post("/v1/tokens/{id}/revoke", &revoke, json!({ "reason": "leaked" })).await;
    bench.post("/v1/tokens/{id}/revoke", &revoke, json!({})).await;
    bench.post("/v1/tokens", "/v1/tokens", json!({ "name": "late", "role": "viewer" })).await;

    // Another program holds the database: a narrowing command is live all the same, a widening one
    // is not done.
    bench.order("unset", json!({ "reason": "x" })).await;
    bench.order("set", set("55%")).await;
    bench.order("set", set("60%")).await;
    let options = SqliteConnectOptions::new().filename(bench.service.data.join("turnout.db"));
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let pending = bench.order("rollback", json!({})).await;
    assert_eq!(
        (&pending["outcome"], &pending["flag"]["split"]["realtime-v2"]),
        (&json!("pending"), &json!("55%"))
    );
    for (verb, body) in
        [("unset", json!({})), ("set", json!({ "realtime-v2": "40%" })), ("stop", json!({}))]
    {
        bench.order(verb, body).await;
    }
    bench.post("/v1/stop", "/v1/stop", json!({})).await;
    for (verb, body) in [
        ("set", set("99%")),
        ("unset", json!({ "reason": "x" })),
        ("resume", json!({ "reason": "x" })),
    ] {
        bench.order(verb, body).await;
    }
    bench.order("rollback", json!({ "to": 1, "reason": "x" })).await;
    bench.post("/v1/tokens", "/v1/tokens", json!({ "name": "b", "role": "viewer" })).await;
    bench.post("/v1/tokens/{id}/revoke", "/v1/tokens/any/revoke", json!({})).await;
    assert_eq!(
        bench.post("/v1/tokens/{id}/revoke", "/v1/tokens/late/revoke", json!({})).await["outcome"],
        "pending"
    );
    bench.get("/v1/status", "/v1/status").await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
}

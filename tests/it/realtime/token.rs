//! Who gets a token, and for what.

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::Realtime;
use crate::feeds::{Answer, event};
use crate::support::Service;
use crate::support::guarded::SERVER_KEY;

#[tokio::test]
async fn a_token_is_for_who_is_told_realtime_and_may_read() {
    let realtime = Realtime::start().await;
    for (stream, readers) in
        [("b-1", json!(["u-sub", "u-2"])), ("b-2", json!(["u-2"])), ("b-3", json!("verified"))]
    {
        realtime.publish(stream, json!({ "readers": readers, "events": [event("e-1")] })).await;
    }
    let many = |count: u32| (0..count).map(|_| "b-1").collect::<Vec<_>>();
    let names = |count: u32| (0..count).map(|n| format!("b-{n}")).collect::<Vec<_>>();
    let one = |stream: &str| json!({ "flag": "a", "stream": stream });
    for (user, body, status, code) in [
        ("u-sub", one("b-1"), 200, ""),
        ("u-sub", json!({ "flag": "a", "streams": ["b-1", "b-3"] }), 200, ""),
        ("u-sub", json!({ "flag": "a", "streams": many(30) }), 200, ""),
        ("u-sub", one("b-2"), 404, "stream-not-found"),
        ("u-sub", json!({ "flag": "a", "streams": ["b-1", "b-2"] }), 404, "stream-not-found"),
        ("u-sub", one("b-9"), 404, "stream-not-found"),
        ("u-sub", one("../x"), 404, "stream-not-found"),
        ("u-sub", json!({ "flag": "none", "stream": "b-1" }), 404, "flag-not-found"),
        ("u-2", one("b-1"), 403, "not-realtime"),
        ("u-3", one("b-1"), 404, "stream-not-found"),
        ("u-3", one("b-3"), 403, "not-realtime"),
        ("u-4", json!({ "flag": "a", "stream": "b-3", "attributes": { "plan": "paid" } }), 200, ""),
        (
            "u-4",
            json!({ "flag": "a", "stream": "b-3", "attributes": { "plan": "p".repeat(2_000) } }),
            403,
            "not-realtime",
        ),
        ("u-5", json!({}), 400, "invalid-request"),
        ("u-5", json!({ "flag": "a" }), 400, "invalid-request"),
        ("u-5", json!({ "flag": "a", "streams": [] }), 400, "invalid-request"),
        (
            "u-5",
            json!({ "flag": "a", "stream": "b-1", "streams": ["b-1"] }),
            400,
            "invalid-request",
        ),
        ("u-5", json!({ "flag": "a", "streams": names(21) }), 413, "too-large"),
        ("u-6", json!({ "flag": "a", "stream": 7 }), 400, "invalid-request"),
        ("u-6", json!({ "flag": "a", "stream": "b-1", "ttl": 7 }), 400, "invalid-request"),
        ("u-6", json!([]), 400, "invalid-request"),
        ("u-6", json!({ "flag": "a", "stream": "b-1", "attributes": [] }), 400, "invalid-request"),
    ] {
        let session = realtime.session(json!({ "targetingKey": user })).await;
        let answer = realtime.ask_token(&session, body.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{user} {body}: {answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), "\"token\";q=10;w=60", "{user} {body}");
        if status == 200 {
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.body["tokenType"], "Bearer");
            assert!(answer.header("turnout-time").parse::<u64>().unwrap() > 1_700_000_000_000);
            let (life, refresh) = (&answer.body["expiresInMs"], &answer.body["refreshAfterMs"]);
            assert_eq!((life, refresh), (&json!(600_000), &json!(450_000)));
        }
    }
    for (credential, status, code) in
        [(SERVER_KEY, 400, "invalid-context"), ("no", 401, "unauthenticated")]
    {
        let answer = realtime.ask_token(credential, one("b-1")).await;
        assert_eq!((answer.status, answer.code()), (status, code));
    }
    // A session's own end is the token's, and a stream that the session names needs no reader.
    let body = json!({ "targetingKey": "u-sub", "ttlMs": 60_000, "streams": { "a": ["b-2"] } });
    let session = realtime.session(body).await;
    let answer = realtime.ask_token(&session, one("b-2")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body["expiresInMs"].as_u64().unwrap() <= 60_000);
    let token = answer.body["token"].as_str().unwrap();
    realtime.open_live(token, "b-2").await;
    // A token is good for nothing else.
    for path in ["/v1/strategy/a", "/v1/feeds/a/b-2", "/v1/strategy/a/watch"] {
        let answer = realtime.ask(Method::GET, path, token, json!({})).await;
        assert_eq!(answer.status, 401, "{path}");
    }
    // Where less than a second of the session is left there is no token, which would be over at once.
    for (ttl_ms, status) in [(1_000, 401), (30_000, 200)] {
        let body =
            json!({ "targetingKey": "u-7", "ttlMs": ttl_ms, "attributes": { "plan": "paid" } });
        let session = realtime.session(body).await;
        let answer = realtime.ask_token(&session, one("b-3")).await;
        assert_eq!(answer.status, status, "{ttl_ms}: {answer:?}");
        if status == 200 {
            let life = answer.body["expiresInMs"].as_u64().unwrap();
            assert!((1_000..=30_000).contains(&life), "{life}");
            assert!(answer.body["refreshAfterMs"].as_u64().unwrap() >= 500, "{answer:?}");
            realtime.open_live(answer.body["token"].as_str().unwrap(), "b-3").await;
        }
    }
    // What a client has heard of is waited for, and refused if it does not come.
    let service = &realtime.guarded.service;
    let request = service.client.post(service.url("/v1/token")).bearer_auth(&session);
    let request = request.header("turnout-flag-revision", "9999").body(one("b-2").to_string());
    assert_eq!(request.send().await.unwrap().status(), 409);
}

/// No flag is known yet, so none is unknown: its strategy is polling.
#[tokio::test]
async fn before_the_first_snapshot_a_token_is_refused_as_not_realtime() {
    let service = Service::start_without_folder().await;
    let events = json!({ "readers": "verified", "events": [event("e-1")] });
    assert_eq!(service.order("/v1/feeds/a/b-1", events).await.status(), 200);
    let session = service.order("/v1/sessions", json!({ "targetingKey": "u-1" })).await;
    let session: Json = session.json().await.unwrap();
    let session = session["session"].as_str().unwrap();
    for (flag, stream, status, code) in [
        ("a", "b-1", 403, "not-realtime"),
        ("a", "b-9", 404, "stream-not-found"),
        ("NOT-A-KEY", "b-1", 404, "flag-not-found"),
    ] {
        let request = service.client.post(service.url("/v1/token")).bearer_auth(session);
        let body = json!({ "flag": flag, "stream": stream }).to_string();
        let answer = Answer::of(request.body(body).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{flag}/{stream}: {answer:?}");
    }
}

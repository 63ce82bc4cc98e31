//! Sessions that are minted here: a good one is a session like any other, and nothing else is one.

use std::fs;

use reqwest::Method;
use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, AnonymousAccess, TokenKind};
use turnout::http::StreamLimits;

use crate::feeds::{Answer, event};
use crate::support::forgery::forgeries;
use crate::support::guarded::{ProtectedEndpoint, ROUTES, SERVER_KEY, sha256};
use crate::support::issuer::{Issuer, pins, with};
use crate::support::wait_until;

const POLL: &str = "GET /v1/feeds/a/b-1";

/// A service with an application's issuer, and its own key.
struct Minting {
    guarded: ProtectedEndpoint,
    application: Issuer,
    own: Issuer,
}

impl Minting {
    async fn start() -> Minting {
        let (application, own) =
            (Issuer::new(Algorithm::Es256, "key"), Issuer::own(TokenKind::Session));
        let guarded = ProtectedEndpoint::start_signing(
            &application.jwks(),
            pins(Algorithm::Es256),
            AnonymousAccess::Allow,
            StreamLimits::default(),
            Some(&own),
        )
        .await;
        Minting { guarded, application, own }
    }

    async fn ask(&self, method: Method, path: &str, credential: &str, body: Json) -> Answer {
        let service = &self.guarded.service;
        let request = service.client.request(method, service.url(path)).bearer_auth(credential);
        Answer::of(request.body(body.to_string()).send().await.unwrap()).await
    }

    async fn mint_with(&self, key: &str, body: Json) -> Answer {
        self.ask(Method::POST, "/v1/sessions", key, body).await
    }

    async fn mint(&self, body: Json) -> String {
        let answer = self.mint_with(SERVER_KEY, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["session"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_minted_session_is_a_session() {
    let minting = Minting::start().await;
    let asks = async |session: &str| {
        let question = json!({ "attributes": { "plan": "free" } });
        minting
            .guarded
            .strategy(Some(("authorization", &format!("Bearer {session}"))), question)
            .await
    };
    let plain = minting.mint(json!({ "targetingKey": "u-1" })).await;
    assert_eq!(asks(&plain).await, "polling");
    // What its server said of the user is verified, and goes before what the user says.
    for attributes in [json!({ "plan": "paid" }), json!({ "email": "ops@example.com" })] {
        let session =
            minting.mint(json!({ "targetingKey": "u-1", "attributes": attributes })).await;
        assert_eq!(asks(&session).await, "realtime-v2", "{attributes}");
    }
    let unproved = json!({ "email": "ops@example.com", "email_verified": false });
    let session = minting.mint(json!({ "targetingKey": "u-1", "attributes": unproved })).await;
    assert_eq!(asks(&session).await, "polling");

    // It reads the streams that list its user, and those that it names.
    let publish = async |stream: &str, readers: Json| {
        let body = json!({ "readers": readers, "events": [event("e-1")] });
        let path = format!("/v1/feeds/a/{stream}");
        assert_eq!(minting.ask(Method::POST, &path, SERVER_KEY, body).await.status, 200);
    };
    for (stream, readers) in [
        ("b-1", json!(["u-1"])),
        ("b-2", json!([])),
        ("b-3", json!("verified")),
        ("b-4", json!(["u-2"])),
    ] {
        publish(stream, readers).await;
    }
    let named =
        json!({ "targetingKey": "u-1", "streams": { "a": ["b-2", "b-9"], "other": ["b-4"] } });
    for (session, expected) in
        [(plain, [200, 404, 200, 404, 404]), (minting.mint(named).await, [200, 200, 200, 404, 404])]
    {
        for (stream, status) in ["b-1", "b-2", "b-3", "b-4", "b-9"].into_iter().zip(expected) {
            let path = format!("/v1/feeds/a/{stream}");
            let answer = minting.ask(Method::GET, &path, &session, json!({})).await;
            assert_eq!(answer.status, status, "{stream}");
        }
    }
}

#[tokio::test]
async fn what_is_not_a_session_of_ours_is_refused_everywhere() {
    let minting = Minting::start().await;
    let (own, theirs) = (&minting.own, Issuer::own(TokenKind::Session));
    let mut table = forgeries(own, &theirs);
    let mut bearer = |name: &str, token: String| {
        table.push((name.to_owned(), vec![("authorization", format!("Bearer {token}").into())]));
    };
    let (claims, application) = (own.claims("u-sub"), &minting.application);
    let of_streams = |claims: &Json| {
        let header = with(&own.header(), "typ", TokenKind::Realtime.header().into());
        own.sign(&header, claims)
    };
    bearer("a token for streams", {
        of_streams(&with(&claims, "aud", TokenKind::Realtime.audience().into()))
    });
    bearer("a token for streams with a session's audience", of_streams(&claims));
    bearer("a session with the audience of streams", {
        own.sign(&own.header(), &with(&claims, "aud", TokenKind::Realtime.audience().into()))
    });
    bearer("typ JWT", own.sign(&with(&own.header(), "typ", "JWT".into()), &claims));
    bearer(
        "our key, as the application",
        own.sign(&application.header(), &application.claims("u-sub")),
    );
    bearer("the application's key, as ours", application.sign(&own.header(), &claims));
    bearer(
        "the application's key under our issuer",
        application.sign(&application.header(), &claims),
    );
    bearer("our key under the application's issuer", {
        own.sign(&own.header(), &with(&claims, "iss", crate::support::issuer::ISSUER.into()))
    });
    for streams in [json!("a/b-1"), json!([7]), json!(["b-1"]), json!({ "a": ["b-1"] })] {
        bearer(
            "streams of another shape",
            own.sign(&own.header(), &with(&claims, "streams", streams)),
        );
    }
    bearer(
        "attributes of another shape",
        own.sign(&own.header(), &with(&claims, "attributes", json!([]))),
    );
    assert!(table.len() >= 80, "{} forgeries", table.len());
    for route in ROUTES.into_iter().chain([POLL]) {
        for (name, headers) in &table {
            let headers: Vec<(&str, &[u8])> =
                headers.iter().map(|(name, value)| (*name, &**value)).collect();
            let answer =
                minting.guarded.ask(route, &headers, json!({ "targetingKey": "u-sub" })).await;
            assert_eq!(answer.status(), 401, "accepted at {route}: {name}");
        }
        let good = format!("Bearer {}", own.token("u-sub"));
        let answer =
            minting.guarded.ask(route, &[("authorization", good.as_bytes())], json!({})).await;
        assert_ne!(answer.status(), 401, "{route}: a good one");
    }
}

#[tokio::test]
async fn a_session_is_made_for_a_server_that_may_and_asks_well() {
    let minting = Minting::start().await;
    let servers = minting.guarded.home.path().join("servers");
    let mut lines = fs::read_to_string(&servers).unwrap();
    for (key, may) in
        [("key-asks", "ask"), ("key-sessions", "sessions"), ("key-of-a", "sessions a")]
    {
        lines += &format!("{key} {} {may}\n", sha256(key));
    }
    fs::write(&servers, lines).unwrap();
    let body = json!({ "targetingKey": "u-1" });
    wait_until("the keys are known", async || {
        minting.mint_with("key-sessions", body.clone()).await.status == 200
    })
    .await;
    let (session, token) = (minting.mint(body.clone()).await, minting.application.token("u-1"));
    for (who, status, code) in [
        ("key-asks", 403, "not-permitted"),
        ("key-of-a", 403, "flag-not-permitted"),
        (&*session, 403, "not-permitted"),
        (&*token, 403, "not-permitted"),
        ("no-key", 401, "unauthenticated"),
    ] {
        let answer = minting.mint_with(who, body.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{who}");
    }
    let many = |count: u32| (0..count).map(|number| format!("b-{number}")).collect::<Vec<_>>();
    let with_attributes =
        |attributes: Json| json!({ "targetingKey": "u-1", "attributes": attributes });
    let of_streams = |streams: Json| json!({ "targetingKey": "u-1", "streams": streams });
    for (body, status, code) in [
        (json!({}), 400, "invalid-request"),
        (json!([]), 400, "invalid-request"),
        (json!({ "targetingKey": "" }), 400, "invalid-request"),
        (json!({ "targetingKey": null }), 400, "invalid-request"),
        (json!({ "targetingKey": 7 }), 400, "invalid-request"),
        (json!({ "targetingKey": "u".repeat(257) }), 400, "invalid-request"),
        (json!({ "targetingKey": "u".repeat(256) }), 200, ""),
        (json!({ "targetingKey": "u-1", "sub": "u-2" }), 400, "invalid-request"),
        (json!({ "targetingKey": "u-1", "ttlMs": 0 }), 400, "invalid-request"),
        (json!({ "targetingKey": "u-1", "ttlMs": -1 }), 400, "invalid-request"),
        (json!({ "targetingKey": "u-1", "ttlMs": 999 }), 400, "invalid-request"),
        (json!({ "targetingKey": "u-1", "ttlMs": 86_400_001 }), 400, "invalid-request"),
        (json!({ "targetingKey": "u-1", "ttlMs": 1e9 }), 400, "invalid-request"),
        (json!({ "targetingKey": "u-1", "ttlMs": 86_400_000 }), 200, ""),
        (with_attributes(json!([])), 400, "invalid-request"),
        (with_attributes(json!({ "a": "x".repeat(5_000) })), 413, "too-large"),
        (of_streams(json!({ "a": "b-1" })), 400, "invalid-request"),
        (of_streams(json!({ "A": ["b-1"] })), 400, "invalid-request"),
        (of_streams(json!({ "a": ["../x"] })), 400, "invalid-request"),
        (of_streams(json!({ "a": many(32) })), 200, ""),
        (of_streams(json!({ "a": many(20), "b": many(13) })), 413, "too-large"),
    ] {
        let answer = minting.mint_with(SERVER_KEY, body.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{body}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.header("cache-control"), "no-store");
            assert!(answer.body["session"].as_str().unwrap().len() <= 4_096);
        }
    }
}

#[tokio::test]
async fn a_session_ends_when_it_says() {
    let minting = Minting::start().await;
    let session = minting.mint(json!({ "targetingKey": "u-1", "ttlMs": 1_000 })).await;
    let status =
        async || minting.ask(Method::GET, "/v1/strategy/a", &session, json!({})).await.status;
    assert_eq!(status().await, 200);
    // It is taken for as much longer as clocks may differ.
    wait_until("the session ends", async || status().await == 401).await;
}

//! Nothing but a token of ours for this stream opens it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};
use turnout::auth::TokenKind;

use super::Realtime;
use crate::support::forgery::forgeries;
use crate::support::issuer::{Issuer, with, without};

const PATH: &str = "/v1/realtime/a/b-1";
const ROUTE: &str = "GET /v1/realtime/a/b-1";

fn claims_of(token: &str) -> Json {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[tokio::test]
async fn a_forged_token_opens_nothing() {
    let mut realtime = Realtime::start().await;
    realtime.publish_numbers("b-1", 1..=1).await;
    realtime.publish_numbers("b-2", 1..=1).await;
    let good = realtime.token(json!({ "targetingKey": "u-sub" }), "b-1").await;
    let claims = claims_of(&good);
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "streams", "flagRevision", "ctx"] {
        assert!(claims.get(name).is_some(), "{name}: {claims}");
    }
    assert!(!claims["ctx"].as_str().unwrap().contains("u-sub"));
    // The test signs what the service would sign, so that a forgery differs in one thing alone.
    realtime.own.further = json!({
        "jti": claims["jti"], "ctx": claims["ctx"], "streams": claims["streams"], "flagRevision": claims["flagRevision"],
    });
    let own = &realtime.own;
    let opens = async |token: &str| {
        let service = &realtime.guarded.service;
        let request = service.client.get(service.url(PATH)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(opens(&own.token("u-sub")).await, 200, "what the test signs is good");
    let mut theirs = Issuer::own(TokenKind::Realtime);
    theirs.further = own.further.clone();
    let mut table = forgeries(own, &theirs);
    let mut bearer = |name: &str, token: String| {
        table.push((name.to_owned(), vec![("authorization", format!("Bearer {token}").into())]));
    };
    let claims = own.claims("u-sub");
    let sign = |claims: &Json| own.sign(&own.header(), claims);
    for (name, value) in [
        ("jti", json!("another")),
        ("jti", json!(7)),
        ("ctx", json!("")),
        ("ctx", json!("AAAA")),
        ("ctx", json!({})),
        ("streams", json!("a/b-1")),
        ("streams", json!(["b-1"])),
        ("streams", json!([7])),
        ("aud", json!(TokenKind::Session.audience())),
        ("aud", json!("turnout")),
        ("iss", json!(crate::support::issuer::ISSUER)),
    ] {
        bearer(&format!("{name} is {value}"), sign(&with(&claims, name, value)));
    }
    for name in ["jti", "ctx"] {
        bearer(&format!("{name} is missing"), sign(&without(&claims, name)));
    }
    for kind in [TokenKind::Session.header(), "JWT"] {
        bearer(kind, own.sign(&with(&own.header(), "typ", kind.into()), &claims));
    }
    let session = realtime.session(json!({ "targetingKey": "u-sub" })).await;
    bearer("a session", session);
    assert!(table.len() >= 120, "{} forgeries", table.len());
    for (name, headers) in &table {
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (*name, &**value)).collect();
        let answer = realtime.guarded.ask(ROUTE, &headers, json!({})).await;
        assert_eq!(answer.status(), 401, "accepted: {name}");
    }
    // A good token for other streams, of a user who may not read, or of another strategy.
    let other = realtime.token(json!({ "targetingKey": "u-sub" }), "b-2").await;
    assert_eq!(realtime.refused(&other, PATH).await, (404, "stream-not-found".to_owned()));
    let streams = json!(["b/b-1", "a/b-2", "a/b-10"]);
    let named = sign(&with(&claims, "streams", streams));
    assert_eq!(realtime.refused(&named, PATH).await, (404, "stream-not-found".to_owned()));
    realtime.publish("b-1", json!({ "readers": ["u-2"], "events": [] })).await;
    assert_eq!(realtime.refused(&good, PATH).await, (404, "stream-not-found".to_owned()));
    realtime.publish("b-1", json!({ "readers": "verified", "events": [] })).await;
    let else_ = sign(&with(&claims, "sub", "u-else".into()));
    assert_eq!(realtime.refused(&else_, PATH).await, (403, "not-realtime".to_owned()));
}

//! A plain question bypasses the router (decision 0022). Its response must be the same as the
//! router's to the same question, written so that it is not plain: with a letter of its key
//! encoded. Both forms in which one flag can be asked for are checked.

use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY};
use crate::support::issuer::Issuer;
use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, AnonymousAccess};

/// Status, headers without the date, and body.
type Seen = (u16, Vec<(String, String)>, String);

async fn seen(
    guarded: &ProtectedEndpoint,
    route: &str,
    headers: &[(&str, &[u8])],
    body: &Json,
) -> Seen {
    let answer = guarded.ask(route, headers, body.clone()).await;
    let status = answer.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| {
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    };
    let mut headers: Vec<(String, String)> = answer
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .filter(|(name, _)| name != "date")
        .collect();
    headers.sort();
    (status, headers, answer.text().await.unwrap())
}

/// The forms in which one flag is asked for.
#[derive(Clone, Copy)]
enum Form {
    Native,
    Ofrep,
}

/// Every kind of question, for keys that are and are not flags. Returns the different statuses that
/// were seen.
async fn check(unverified: AnonymousAccess, form: Form) -> Vec<u16> {
    let issuer = Issuer::new(Algorithm::Hs256, "our-key");
    let guarded = ProtectedEndpoint::start(
        &json!({ "keys": [issuer.jwk] }).to_string(),
        Algorithm::Hs256,
        unverified,
    )
    .await;
    let token = format!("Bearer {}", issuer.token("u-sub"));
    let tag =
        seen(&guarded, "POST /v1/strategy/a", &[("x-api-key", SERVER_KEY.as_bytes())], &json!({}))
            .await
            .1;
    let tag = tag.iter().find(|(name, _)| name == "etag").map(|(_, tag)| tag.clone()).unwrap();
    let askers: [&[(&str, &[u8])]; 7] = [
        &[],
        &[("authorization", token.as_bytes())],
        &[("authorization", b"Bearer a.b.c")],
        &[("x-api-key", SERVER_KEY.as_bytes())],
        &[("x-api-key", SERVER_KEY.as_bytes()), ("authorization", token.as_bytes())],
        &[("x-api-key", SERVER_KEY.as_bytes()), ("if-none-match", tag.as_bytes())],
        &[("origin", b"https://app.example.com")],
    ];
    let mut bodies = vec![
        json!({}),
        json!({ "targetingKey": "u-sub", "attributes": { "plan": "paid" } }),
        json!({ "targetingKey": "u-other" }),
        json!({ "targetingKey": "x".repeat(257) }),
        json!({ "targetingKey": "u", "attributes": { "a": "x".repeat(70_000) } }),
        json!([]),
    ];
    let folder = match form {
        Form::Native => "/v1/strategy",
        Form::Ofrep => {
            bodies.extend([
                json!({ "context": {} }),
                json!({ "context": { "targetingKey": "u-sub", "plan": "paid" } }),
                json!({ "context": { "targetingKey": "u-other" } }),
                json!({ "context": { "targetingKey": "x".repeat(257) } }),
            ]);
            "/ofrep/v1/evaluate/flags"
        }
    };
    let mut statuses = Vec::new();
    for method in ["POST", "GET", "HEAD", "PUT", "OPTIONS", "DELETE"] {
        for (plain, encoded) in [("a", "%61"), ("unknown", "%75nknown"), ("a?flag=b", "%61?flag=b")]
        {
            for headers in askers {
                for body in &bodies {
                    let plainly =
                        seen(&guarded, &format!("{method} {folder}/{plain}"), headers, body).await;
                    let router =
                        seen(&guarded, &format!("{method} {folder}/{encoded}"), headers, body)
                            .await;
                    assert_eq!(plainly, router, "{method} {plain} {headers:?} {body}");
                    statuses.push(plainly.0);
                }
            }
        }
    }
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

#[tokio::test]
async fn a_plain_question_is_answered_as_the_router_answers_it() {
    for unverified in [AnonymousAccess::Allow, AnonymousAccess::Deny] {
        let statuses = check(unverified, Form::Native).await;
        assert_eq!(statuses, [200, 304, 400, 401, 403, 404, 405, 413]);
    }
}

#[tokio::test]
async fn a_plain_ofrep_question_is_answered_as_the_router_answers_it() {
    for unverified in [AnonymousAccess::Allow, AnonymousAccess::Deny] {
        let statuses = check(unverified, Form::Ofrep).await;
        assert_eq!(statuses, [200, 400, 401, 403, 404, 405, 413]);
    }
}

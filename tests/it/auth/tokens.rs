//! Session tokens and server keys: a forged one is refused, always in the same way; a good one
//! opens exactly what it proves.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::forgery::{forgeries, good_ones};
use crate::support::guarded::{ProtectedEndpoint, ROUTES, SERVER_KEY};
use crate::support::issuer::{Issuer, claims, pins, with, without};
use crate::support::{Service, flag};
use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, AnonymousAccess, EmailProof, ExpectedClaims, Sessions};
use turnout::http::StreamLimits;

/// Runs every forgery against every route: the same status and the same body, whatever was wrong.
async fn check(algorithm: Algorithm) {
    let (ours, theirs) = (Issuer::new(algorithm, "our-key"), Issuer::new(algorithm, "their-key"));
    let both = json!({ "keys": [ours.jwk, Issuer::new(algorithm, "our-other-key").jwk] });
    let guarded =
        ProtectedEndpoint::start(&both.to_string(), algorithm, AnonymousAccess::Allow).await;
    let body = json!({ "targetingKey": "u-sub" });
    let table = forgeries(&ours, &theirs);
    assert!(table.len() >= 80, "{} forgeries", table.len());
    for route in ROUTES {
        let mut refusal: Option<String> = None;
        for (name, headers) in &table {
            let headers: Vec<(&str, &[u8])> =
                headers.iter().map(|(name, value)| (*name, &**value)).collect();
            let answer = guarded.ask(route, &headers, body.clone()).await;
            assert_eq!(
                answer.status(),
                401,
                "{} accepts a forgery at {route}: {name}",
                algorithm.as_str()
            );
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            let text = answer.text().await.unwrap();
            assert_eq!(
                refusal.get_or_insert_with(|| text.clone()),
                &text,
                "{route}: {name} is told apart"
            );
        }
        let refusal: Json = serde_json::from_str(&refusal.unwrap()).unwrap();
        if route.contains("ofrep") {
            assert_eq!(refusal["errorCode"], "GENERAL");
        } else {
            assert_eq!(refusal["code"], "unauthenticated");
        }
        // After all this, a good token is still accepted.
        let good = format!("Bearer {}", ours.token("u-sub"));
        let answer = guarded.ask(route, &[("authorization", good.as_bytes())], body.clone()).await;
        assert_eq!(answer.status(), 200, "{route} refuses a good token");
        assert!(answer.text().await.unwrap().contains("realtime-v2"), "{route}");
    }
    for (name, header, claims) in good_ones(&ours) {
        let token = format!("bEaReR {}", ours.sign(&header, &claims));
        let answer = guarded
            .ask("GET /v1/strategy/a", &[("authorization", token.as_bytes())], json!({}))
            .await;
        assert_eq!(answer.status(), 200, "{} refuses a good token: {name}", algorithm.as_str());
    }
}

#[tokio::test]
async fn forged_hs256_tokens_are_refused() {
    check(Algorithm::Hs256).await;
}

#[tokio::test]
async fn forged_rs256_tokens_are_refused() {
    check(Algorithm::Rs256).await;
}

#[tokio::test]
async fn forged_es256_tokens_are_refused() {
    check(Algorithm::Es256).await;
}

#[tokio::test]
async fn forged_eddsa_tokens_are_refused() {
    check(Algorithm::EdDsa).await;
}

#[tokio::test]
async fn only_a_verified_email_address_opens_a_flag() {
    let issuer = Issuer::new(Algorithm::Es256, "our-key");
    let guarded =
        ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Allow).await;
    let bearer = |more: Json| {
        let mut claims = claims("u-1");
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("Bearer {}", issuer.sign(&issuer.header(), &claims))
    };
    let (ops, out) = ("Ops@Example.com", "out@example.com");
    let says = |email: &str| json!({ "targetingKey": "u-1", "attributes": { "email": email } });
    let claim = |email: &str| Some(bearer(json!({ "email": email })));
    let server_bearer = Some(format!("Bearer {SERVER_KEY}"));
    // (who, credential, body, strategy)
    let table: Vec<(&str, Option<String>, Json, &str)> = vec![
        ("plain", None, says(ops), "polling"),
        (
            "plain, calling itself verified",
            None,
            json!({ "attributes": { "email": ops, "email_verified": true } }),
            "polling",
        ),
        ("plain, denied by an unproved address", None, says(out), "disabled"),
        ("a claim", claim(ops), json!({}), "realtime-v2"),
        (
            "a claim, and its own key in the body",
            claim(ops),
            json!({ "targetingKey": "u-1" }),
            "realtime-v2",
        ),
        (
            "a claim, and another address in the body",
            claim(ops),
            says("x@example.com"),
            "realtime-v2",
        ),
        ("a claim, and a denied address in the body", claim(ops), says(out), "realtime-v2"),
        ("a token, the address in the body only", Some(bearer(json!({}))), says(ops), "polling"),
        (
            "a token, the body vouching for its own address",
            Some(bearer(json!({}))),
            json!({ "attributes": { "email": ops, "email_verified": true } }),
            "polling",
        ),
        (
            "a token vouching for an address it does not have",
            Some(bearer(json!({ "email_verified": true }))),
            says(ops),
            "polling",
        ),
        (
            "a token, a denied address in the body only",
            Some(bearer(json!({}))),
            says(out),
            "disabled",
        ),
        (
            "an unproved claim",
            Some(bearer(json!({ "email": ops, "email_verified": false }))),
            json!({}),
            "polling",
        ),
        (
            "an unproved claim, the body vouching",
            Some(bearer(json!({ "email": ops, "email_verified": false }))),
            json!({ "attributes": { "email_verified": true } }),
            "polling",
        ),
        (
            "a claim, the body denying it",
            claim(ops),
            json!({ "attributes": { "email_verified": false } }),
            "realtime-v2",
        ),
        (
            "an empty claim hides the body's",
            Some(bearer(json!({ "email": null }))),
            says(out),
            "polling",
        ),
        ("a claim of a rule", Some(bearer(json!({ "plan": "paid" }))), json!({}), "realtime-v2"),
        (
            "a claim wins over the body",
            Some(bearer(json!({ "plan": "free" }))),
            json!({ "attributes": { "plan": "paid" } }),
            "polling",
        ),
        (
            "the body beside a token",
            Some(bearer(json!({}))),
            json!({ "attributes": { "plan": "paid" } }),
            "realtime-v2",
        ),
        ("a server", server_bearer.clone(), says(ops), "realtime-v2"),
        (
            "a server that has not proved it",
            server_bearer,
            json!({ "attributes": { "email": ops, "email_verified": false } }),
            "polling",
        ),
    ];
    for (who, credential, body, strategy) in table {
        let credential = credential.as_deref().map(|value| ("authorization", value));
        assert_eq!(guarded.strategy(credential, body).await, strategy, "{who}");
    }
    assert_eq!(guarded.strategy(Some(("x-api-key", SERVER_KEY)), says(ops)).await, "realtime-v2");

    let good = claim(ops).unwrap();
    for route in ROUTES.into_iter().filter(|route| route.starts_with("POST")) {
        let answer = guarded
            .ask(route, &[("authorization", good.as_bytes())], json!({ "targetingKey": "u-2" }))
            .await;
        assert_eq!(answer.status(), 403, "{route}: a token speaks for its own subject only");
        let answer: Json = answer.json().await.unwrap();
        assert!(answer["code"] == "wrong-subject" || answer["errorCode"] == "GENERAL", "{answer}");
        assert!(!answer.to_string().contains("u-1") && !answer.to_string().contains("u-2"));
    }
}

/// Tokens as Supabase makes them: `email` stands at the top, and what users may edit beside it. With
/// proof required, an address that was never confirmed opens nothing.
#[tokio::test]
async fn an_address_without_its_proof_opens_nothing_where_proof_is_required() {
    let issuer = Issuer::new(Algorithm::Es256, "our-key");
    let token = |more: Json| {
        let mut claims = claims("4e4b1a2c-11f2-4a6d-8a56-0f2a3c0b9d1e");
        claims.as_object_mut().unwrap().extend(
            json!({
                "email": "ops@example.com", "phone": "", "role": "authenticated", "aal": "aal1",
                "app_metadata": { "provider": "email", "providers": ["email"] },
                "user_metadata": { "email": "ops@example.com", "email_verified": true },
                "amr": [{ "method": "password", "timestamp": 1_790_000_000 }], "is_anonymous": false,
            })
            .as_object()
            .unwrap()
            .clone(),
        );
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("Bearer {}", issuer.sign(&issuer.header(), &claims))
    };
    // What the token says, and the strategy where proof is assumed and where it is required.
    let table = [
        (json!({}), "realtime-v2", "polling"),
        (json!({ "email_verified": true }), "realtime-v2", "realtime-v2"),
        (json!({ "email_verified": false }), "polling", "polling"),
        (json!({ "email_verified": null }), "realtime-v2", "polling"),
        (json!({ "email_verified": "true" }), "realtime-v2", "polling"),
        (json!({ "email_verified": 1 }), "polling", "polling"),
        (json!({ "email_verified": { "yes": true } }), "polling", "polling"),
    ];
    for email in [EmailProof::Assumed, EmailProof::Required] {
        let expected = ExpectedClaims { email, ..pins(Algorithm::Es256) };
        let (deny, streams) = (AnonymousAccess::Deny, StreamLimits::default());
        let guarded =
            ProtectedEndpoint::start_expecting(&issuer.jwks(), expected, deny, streams).await;
        for (more, assumed, required) in &table {
            let wanted = if email == EmailProof::Required { required } else { assumed };
            let credential = token(more.clone());
            // What a body says proves nothing.
            let body = json!({ "attributes": { "email_verified": true } });
            let got = guarded.strategy(Some(("authorization", &credential)), body).await;
            assert_eq!(got, *wanted, "{email:?}: {more}");
        }
    }
}

#[tokio::test]
async fn get_answers_for_the_tokens_user() {
    let issuer = Issuer::new(Algorithm::EdDsa, "our-key");
    let guarded =
        ProtectedEndpoint::start(&issuer.jwks(), Algorithm::EdDsa, AnonymousAccess::Allow).await;
    let bearer = format!("Bearer {}", issuer.token("u-sub"));
    let authorised: (&str, &[u8]) = ("authorization", bearer.as_bytes());
    let first = guarded.ask("GET /v1/strategy/a", &[authorised], json!({})).await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["vary"]),
        (200, &"authorization, x-api-key".parse().unwrap())
    );
    let tag = first.headers()["etag"].as_bytes().to_vec();
    let again =
        guarded.ask("GET /v1/strategy/a", &[authorised, ("if-none-match", &tag)], json!({})).await;
    assert_eq!(
        (again.status().as_u16(), &again.headers()["vary"]),
        (304, &"authorization, x-api-key".parse().unwrap())
    );
    let posted =
        guarded.ask("POST /v1/strategy/a", &[authorised, ("if-none-match", &tag)], json!({})).await;
    assert_eq!(posted.status(), 304, "the same document");
    for (route, headers, status, code) in [
        ("GET /v1/strategy/a", vec![], 401, "unauthenticated"),
        ("GET /v1/strategy/a", vec![("x-api-key", SERVER_KEY.as_bytes())], 400, "invalid-context"),
        ("GET /v1/strategy/nothing", vec![authorised], 404, "flag-not-found"),
    ] {
        let answer = guarded.ask(route, &headers, json!({})).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["vary"]),
            (status, &"authorization, x-api-key".parse().unwrap())
        );
        assert_eq!(answer.json::<Json>().await.unwrap()["code"], code);
    }
}

#[tokio::test]
async fn callers_without_a_credential_can_be_denied() {
    let issuer = Issuer::new(Algorithm::EdDsa, "our-key");
    let guarded =
        ProtectedEndpoint::start(&issuer.jwks(), Algorithm::EdDsa, AnonymousAccess::Deny).await;
    for route in ROUTES {
        assert_eq!(
            guarded.ask(route, &[], json!({ "targetingKey": "u-1" })).await.status(),
            401,
            "{route}"
        );
        let bearer = format!("Bearer {}", issuer.token("u-1"));
        assert_eq!(
            guarded.ask(route, &[("authorization", bearer.as_bytes())], json!({})).await.status(),
            200,
            "{route}"
        );
    }
    assert_eq!(guarded.ask("GET /healthz", &[], json!({})).await.status(), 200);
    assert_eq!(guarded.ask("GET /readyz", &[], json!({})).await.status(), 200);
}

#[tokio::test]
async fn an_unconfigured_credential_is_never_treated_as_absent() {
    let service = Service::start(&[("a.yaml", &flag("a", ""))]).await;
    for (name, value) in
        [("authorization", "Bearer a.b.c"), ("authorization", "Bearer x"), ("x-api-key", "x")]
    {
        let request =
            service.client.post(service.url("/v1/strategy/a")).header(name, value).body("{}");
        assert_eq!(request.send().await.unwrap().status(), 401, "{name}: {value}");
    }
}

/// The time is passed in: the test does not wait for a token to end.
#[test]
fn a_session_token_is_accepted_until_its_expiry() {
    let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(seconds as u64);
    for algorithm in Algorithm::ALL {
        let issuer = Issuer::new(algorithm, "our-key");
        let sessions = Sessions::new(pins(algorithm));
        let token = issuer.sign(
            &issuer.header(),
            &with(&with(&claims("u-1"), "nbf", 2_000.into()), "exp", 3_000.into()),
        );
        assert!(sessions.verify(&token, at(2_500)).is_err(), "no keys yet");
        sessions.take(issuer.jwks().as_bytes()).unwrap();
        // `iat` is now, long after this token's end.
        assert!(sessions.verify(&token, at(2_500)).is_err());
        let claims =
            without(&with(&with(&claims("u-1"), "nbf", 2_000.into()), "exp", 3_000.into()), "iat");
        let token = issuer.sign(&issuer.header(), &claims);
        for (seconds, good) in [
            (1_994, false),
            (1_995, true),
            (2_000, true),
            (3_004, true),
            (3_005, false),
            (9_000, false),
        ] {
            let fresh = Sessions::new(pins(algorithm));
            fresh.take(issuer.jwks().as_bytes()).unwrap();
            assert_eq!(fresh.verify(&token, at(seconds)).is_ok(), good, "at {seconds}");
            // A token that was seen before ends at the same second.
            sessions.verify(&token, at(2_000)).unwrap();
            if seconds >= 2_000 {
                assert_eq!(
                    sessions.verify(&token, at(seconds)).is_ok(),
                    good,
                    "seen before, at {seconds}"
                );
            }
        }
    }
}

#[test]
fn a_verified_token_is_not_verified_again() {
    let issuer = Issuer::new(Algorithm::Es256, "our-key");
    let sessions = Sessions::new(pins(Algorithm::Es256));
    sessions.take(issuer.jwks().as_bytes()).unwrap();
    let token = issuer.token("u-1");
    let first = sessions.verify(&token, SystemTime::now()).unwrap();
    assert!(Arc::ptr_eq(&first, &sessions.verify(&token, SystemTime::now()).unwrap()));
    // The same keys again: no token is forgotten. Other keys: all are.
    sessions.take(issuer.jwks().replace("{\"keys\"", "{ \"keys\"").as_bytes()).unwrap();
    assert!(Arc::ptr_eq(&first, &sessions.verify(&token, SystemTime::now()).unwrap()));
    for bad in ["", "{}", "rubbish", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"unheard-of\"}]}"] {
        assert!(sessions.take(bad.as_bytes()).is_err(), "{bad}");
        assert!(sessions.verify(&token, SystemTime::now()).is_ok(), "the last good keys stay");
    }
    sessions.take(Issuer::new(Algorithm::Es256, "our-key").jwks().as_bytes()).unwrap();
    assert!(
        sessions.verify(&token, SystemTime::now()).is_err(),
        "a key that is rotated out takes its tokens with it"
    );
    assert!(!format!("{sessions:?} {first:?}").contains("u-1"));
}

/// 20,000 tokens over 16,384 rows of four places: some rows overflow.
#[test]
fn evicted_tokens_are_verified_again_and_stay_good() {
    let issuer = Issuer::new(Algorithm::Hs256, "our-key");
    let sessions = Sessions::new(pins(Algorithm::Hs256));
    sessions.take(issuer.jwks().as_bytes()).unwrap();
    for user in 0..20_000 {
        let session =
            sessions.verify(&issuer.token(&format!("u-{user}")), SystemTime::now()).unwrap();
        assert_eq!(session.subject().unwrap().as_str(), format!("u-{user}"));
    }
}

//! Any bytes as a bearer token: accepted only as it was signed, and only if it says what a good one
//! says.

use std::time::SystemTime;

use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, AnonymousAccess, Authenticator, Sessions};

use super::bend::made_of;
use super::issuer::{AUDIENCE, ISSUER, Issuer, claims, now, pins, with};

/// An issuer of each algorithm, and an authenticator that trusts it.
pub struct Tokens(Vec<TrustedIssuer>);

struct TrustedIssuer {
    issuer: Issuer,
    authenticator: Authenticator,
    good: Vec<String>,
}

impl Tokens {
    pub fn new() -> Tokens {
        Tokens(Algorithm::ALL.into_iter().map(TrustedIssuer::new).collect())
    }

    /// The first byte chooses the algorithm, the second whether a token is mutated or made anew and
    /// signed.
    pub fn present(&self, input: &[u8]) {
        let [algorithm, kind, input @ ..] = input else { return };
        let trusted = &self.0[usize::from(*algorithm) % self.0.len()];
        match kind % 3 {
            0 => trusted.bent(input),
            1 => trusted.signed_claims(input),
            _ => trusted.signed_header(input),
        }
    }
}

impl TrustedIssuer {
    fn new(algorithm: Algorithm) -> TrustedIssuer {
        let issuer = Issuer::new(algorithm, "our-key");
        let sessions = Sessions::new(pins(algorithm));
        sessions.take(issuer.jwks().as_bytes()).unwrap();
        let authenticator = Authenticator {
            sessions: Some(sessions.into()),
            unverified: AnonymousAccess::Deny,
            ..Authenticator::default()
        };
        let long = with(&claims("u-1"), "more", "x".repeat(500).into());
        let good = vec![issuer.token("u-1"), issuer.sign(&issuer.header(), &long)];
        let trusted = TrustedIssuer { issuer, authenticator, good };
        assert!(trusted.good.iter().all(|token| trusted.accepts(token)));
        trusted
    }

    fn accepts(&self, token: &str) -> bool {
        self.authenticator.bearer(token, SystemTime::now().into()).is_ok()
    }

    /// Only the text that was signed is accepted.
    fn bent(&self, input: &[u8]) {
        let good: Vec<&[u8]> = self.good.iter().map(String::as_bytes).collect();
        let bytes = made_of(&good, input);
        let Ok(token) = std::str::from_utf8(&bytes) else { return };
        let as_signed = self.good.iter().any(|good| good == token);
        assert_eq!(self.accepts(token), as_signed, "{}: {token:?}", self.issuer.algorithm.as_str());
    }

    /// A valid signature over any claims.
    fn signed_claims(&self, input: &[u8]) {
        let good = claims("u-1").to_string();
        let listed = with(&claims("u-2"), "aud", json!(["other", AUDIENCE])).to_string();
        let claims = made_of(&[good.as_bytes(), listed.as_bytes()], input);
        if self.accepts(&self.issuer.sign_text(self.issuer.header().to_string(), &claims)) {
            let claims: Json = serde_json::from_slice(&claims).unwrap();
            assert_eq!(claims["iss"], ISSUER);
            let audience = &claims["aud"];
            assert!(
                *audience == AUDIENCE
                    || audience.as_array().is_some_and(|all| all.contains(&AUDIENCE.into())),
                "{audience}"
            );
            assert!(claims["exp"].as_f64().unwrap() > now() as f64 - 10.0, "{claims}");
            assert!(
                claims["sub"].as_str().is_some_and(|subject| (1..=256).contains(&subject.len())),
                "{claims}"
            );
        }
    }

    /// A valid signature over any header.
    fn signed_header(&self, input: &[u8]) {
        let good = self.issuer.header().to_string();
        let strange =
            with(&self.issuer.header(), "jku", "https://evil.example.com/".into()).to_string();
        let header = made_of(&[good.as_bytes(), strange.as_bytes()], input);
        if self.accepts(&self.issuer.sign_text(&header, claims("u-1").to_string())) {
            let header: Json = serde_json::from_slice(&header).unwrap();
            assert_eq!(header["alg"], self.issuer.algorithm.as_str());
            assert_eq!(header["kid"], self.issuer.key_id, "{header}");
            assert!(
                ["crit", "b64", "zip", "enc", "cty"].iter().all(|name| header.get(name).is_none()),
                "{header}"
            );
        }
    }
}

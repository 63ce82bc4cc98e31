//! Reports over HTTP: what clients say of how following went, counted by what the server knows.

mod bad;
mod counted;

use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, AnonymousAccess};

use crate::support::guarded::ProtectedEndpoint;
use crate::support::issuer::{Issuer, claims};

/// A service with the flag `a`, which gives `u-sub` `realtime-v2` and others `polling`, and its
/// issuer of sessions.
pub struct Reported {
    pub guarded: ProtectedEndpoint,
    pub issuer: Issuer,
}

impl Reported {
    pub async fn start() -> Reported {
        let issuer = Issuer::new(Algorithm::Es256, "key");
        let guarded =
            ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Allow)
                .await;
        Reported { guarded, issuer }
    }

    /// Reports with this credential, if there is one: the status, and the code of a refusal.
    pub async fn send(&self, credential: Option<&str>, body: impl Into<String>) -> (u16, String) {
        let service = &self.guarded.service;
        let mut request = service.client.post(service.url("/v1/reports")).body(body.into());
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let refusal: Json = serde_json::from_str(&text).unwrap_or_default();
        (status, refusal["code"].as_str().unwrap_or_default().to_owned())
    }

    /// A report of a user that is taken.
    pub async fn report(&self, user: &str, body: &Json) {
        let token = self.issuer.token(user);
        assert_eq!(self.send(Some(&token), body.to_string()).await, (204, String::new()), "{body}");
    }

    /// A report of a user whose session has another claim.
    pub async fn report_claiming(&self, user: &str, (name, value): (&str, &str), body: &Json) {
        let mut claims = claims(user);
        claims[name] = value.into();
        let token = self.issuer.sign(&self.issuer.header(), &claims);
        assert_eq!(self.send(Some(&token), body.to_string()).await.0, 204, "{body}");
    }

    pub async fn page(&self) -> String {
        self.guarded.service.admin("/metrics").await.text().await.unwrap()
    }

    /// The number of a row of the page; 0 if there is none.
    pub async fn number(&self, row: &str) -> u64 {
        let page = self.page().await;
        let number = page.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(' '));
        number.map_or(0, |number| number.parse().unwrap())
    }
}

/// What one tab reports of the flag `a` after a minute.
pub fn honest() -> Json {
    json!({
        "client": "turnout-client", "version": "0.1.0", "windowMs": 60_000,
        "flags": [{
            "flag": "a", "strategy": "polling", "mode": "polling",
            "poll": { "success": 9, "error": 1, "empty": 7, "limited": 2 },
            "intervalMs": { "buckets": [0, 0, 3, 3, 2, 1, 0, 0, 0, 0], "sumMs": 60_000 },
            "latencyMs": { "buckets": [0, 0, 0, 1, 1, 0, 0, 1, 0], "sumMs": 20_000 },
        }],
    })
}

//! A service that trusts one issuer and one server, and every way of asking it.

use aws_lc_rs::digest;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::auth::{Algorithm, AnonymousAccess, ExpectedClaims, Source};
use turnout::config::{AuthConfig, SessionKeys};
use turnout::http::StreamLimits;

use super::issuer::{Issuer, pins};
use super::{Service, flag};

pub const SERVER_KEY: &str = "3b1f8a7c55d6c1b8a7f0e2d4c6b8a09183746352413f2e1d0c9b8a7968574635";
pub const ROUTES: [&str; 5] = [
    "GET /v1/strategy/a",
    "POST /v1/strategy/a",
    "POST /v1/strategy",
    "POST /ofrep/v1/evaluate/flags/a",
    "POST /ofrep/v1/evaluate/flags",
];

/// A service that trusts one issuer and one server, and opens `realtime-v2` for verified addresses
/// of the segment `internal`.
pub struct ProtectedEndpoint {
    pub service: Service,
    pub home: TempDir,
}

impl ProtectedEndpoint {
    pub async fn start(
        keys: &str,
        algorithm: Algorithm,
        unverified: AnonymousAccess,
    ) -> ProtectedEndpoint {
        ProtectedEndpoint::start_streaming(keys, algorithm, unverified, StreamLimits::default())
            .await
    }

    pub async fn start_streaming(
        keys: &str,
        algorithm: Algorithm,
        unverified: AnonymousAccess,
        streams: StreamLimits,
    ) -> ProtectedEndpoint {
        ProtectedEndpoint::start_expecting(keys, pins(algorithm), unverified, streams).await
    }

    pub async fn start_expecting(
        keys: &str,
        pins: ExpectedClaims,
        unverified: AnonymousAccess,
        streams: StreamLimits,
    ) -> ProtectedEndpoint {
        ProtectedEndpoint::start_signing(keys, pins, unverified, streams, None).await
    }

    /// The same, which signs its own tokens with this key.
    pub async fn start_signing(
        keys: &str,
        pins: ExpectedClaims,
        unverified: AnonymousAccess,
        streams: StreamLimits,
        own: Option<&Issuer>,
    ) -> ProtectedEndpoint {
        let home = TempDir::new().unwrap();
        std::fs::write(home.path().join("keys"), keys).unwrap();
        let issuer_keys = own.map(|own| {
            let path = home.path().join("issuer.pem");
            std::fs::write(&path, own.private_pem()).unwrap();
            path
        });
        std::fs::write(
            home.path().join("servers"),
            format!("# one server\nshop {}\n", sha256(SERVER_KEY)),
        )
        .unwrap();
        let access = AuthConfig {
            session_keys: Some(SessionKeys {
                source: Source::File(home.path().join("keys")),
                pins,
            }),
            server_keys: Some(Source::File(home.path().join("servers"))),
            issuer_keys,
            unverified,
            ..AuthConfig::default()
        };
        let internal = "version: 1\nsegment: internal\nemails: [ops@example.com]\n";
        let a = flag(
            "a",
            "attributes: { plan: text }\ndeny: [{ emails: [out@example.com], strategy: disabled }]\n\
             allow: [{ segment: internal, strategy: realtime-v2 }, { users: [u-sub], strategy: realtime-v2 }]\n\
             rules: [{ name: paid, when: { plan: paid }, strategy: realtime-v2 }]",
        );
        let files = [("a.yaml", &*a), ("segments/internal.yaml", internal)];
        let service = Service::start_streaming_guarded(&files, streams, access).await;
        ProtectedEndpoint { service, home }
    }

    pub async fn ask(
        &self,
        route: &str,
        headers: &[(&str, &[u8])],
        body: Json,
    ) -> reqwest::Response {
        let (method, path) = route.split_once(' ').unwrap();
        let mut request =
            self.service.client.request(method.parse().unwrap(), self.service.url(path));
        if method == "POST" {
            let body = if path.starts_with("/ofrep") { in_ofrep(body) } else { body };
            request = request.body(body.to_string());
        }
        for (name, value) in headers {
            let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
            request = request.header(*name, value);
        }
        request.send().await.unwrap()
    }

    pub async fn strategy(&self, credential: Option<(&str, &str)>, body: Json) -> String {
        let headers: Vec<(&str, &[u8])> =
            credential.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let answer = self.ask("POST /v1/strategy/a", &headers, body.clone()).await;
        let strategy =
            answer.json::<Json>().await.unwrap()["strategy"].as_str().unwrap_or("none").to_owned();
        // There is one evaluator: the other routes give the same.
        let ofrep = self
            .ask("POST /ofrep/v1/evaluate/flags", &headers, body.clone())
            .await
            .json::<Json>()
            .await
            .unwrap();
        assert_eq!(ofrep["flags"][0]["value"].as_str().unwrap_or("none"), strategy, "{body}");
        let all = self.ask("POST /v1/strategy", &headers, body).await.json::<Json>().await.unwrap();
        assert_eq!(all["flags"][0]["strategy"].as_str().unwrap_or("none"), strategy);
        strategy
    }
}

/// The same question in OFREP's shape.
fn in_ofrep(body: Json) -> Json {
    let mut context = body["attributes"].as_object().cloned().unwrap_or_default();
    if let Some(key) = body.get("targetingKey") {
        context.insert("targetingKey".to_owned(), key.clone());
    }
    json!({ "context": context })
}

pub fn sha256(text: &str) -> String {
    digest::digest(&digest::SHA256, text.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

//! The realtime track: a session is exchanged for a token, a token opens a stream, and the stream ends
//! as soon as the user's strategy is another.

mod closes;
mod forged;
mod many;
mod stream;
mod token;

use reqwest::Method;
use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, AnonymousAccess, TokenKind};
use turnout::http::StreamLimits;

use crate::feeds::{Answer, event};
use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY};
use crate::support::issuer::{Issuer, pins};
use crate::support::watcher::Watcher;

/// A service whose flag `a` answers `realtime-v2` to `u-sub`, to the plan `paid` and to verified
/// addresses of the segment `internal`.
pub struct Realtime {
    pub guarded: ProtectedEndpoint,
    /// The application whose session tokens are accepted too.
    pub application: Issuer,
    /// The key of the service's own tokens.
    pub own: Issuer,
}

impl Realtime {
    pub async fn start() -> Realtime {
        Realtime::start_limited(StreamLimits::default()).await
    }

    pub async fn start_limited(limits: StreamLimits) -> Realtime {
        let (application, own) =
            (Issuer::new(Algorithm::Es256, "key"), Issuer::own(TokenKind::Realtime));
        let guarded = ProtectedEndpoint::start_signing(
            &application.jwks(),
            pins(Algorithm::Es256),
            AnonymousAccess::Allow,
            limits,
            Some(&own),
        )
        .await;
        Realtime { guarded, application, own }
    }

    pub async fn ask(&self, method: Method, path: &str, credential: &str, body: Json) -> Answer {
        let service = &self.guarded.service;
        let request = service.client.request(method, service.url(path)).bearer_auth(credential);
        Answer::of(request.body(body.to_string()).send().await.unwrap()).await
    }

    pub async fn publish(&self, stream: &str, body: Json) {
        let path = format!("/v1/feeds/a/{stream}");
        let answer = self.ask(Method::POST, &path, SERVER_KEY, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Publishes events with these numbers to a stream of every verified user.
    pub async fn publish_numbers(&self, stream: &str, numbers: std::ops::RangeInclusive<u32>) {
        let events: Vec<Json> = numbers.map(|n| event(&format!("e-{n}"))).collect();
        for some in events.chunks(100) {
            self.publish(stream, json!({ "readers": "verified", "events": some })).await;
        }
    }

    pub async fn session(&self, body: Json) -> String {
        let answer = self.ask(Method::POST, "/v1/sessions", SERVER_KEY, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["session"].as_str().unwrap().to_owned()
    }

    pub async fn ask_token(&self, session: &str, body: Json) -> Answer {
        self.ask(Method::POST, "/v1/token", session, body).await
    }

    /// A token of a user for one stream.
    pub async fn token(&self, session: Json, stream: &str) -> String {
        let session = self.session(session).await;
        let answer = self.ask_token(&session, json!({ "flag": "a", "stream": stream })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["token"].as_str().unwrap().to_owned()
    }

    /// Opens a stream, behind a cursor if one is given.
    pub async fn open(&self, token: &str, stream: &str, cursor: Option<&str>) -> Watcher {
        let service = &self.guarded.service;
        let path = format!("/v1/realtime/a/{stream}");
        let mut request = service.client.get(service.url(&path)).bearer_auth(token);
        if let Some(cursor) = cursor {
            request = request.header("last-event-id", cursor);
        }
        Watcher::of(request.send().await.unwrap())
    }

    /// Opens a stream, and reads until it is live.
    pub async fn open_live(&self, token: &str, stream: &str) -> Watcher {
        let mut watcher = self.open(token, stream, None).await;
        while watcher.next().await.kind() != "up-to-date" {}
        watcher
    }

    /// Refuses to open a stream: the status and the code.
    pub async fn refused(&self, token: &str, path: &str) -> (u16, String) {
        let answer = self.ask(Method::GET, path, token, json!({})).await;
        (answer.status, answer.code().to_owned())
    }
}

/// The ids of the events of a message.
pub fn ids(message: &Json) -> Vec<String> {
    let events = message["events"].as_array().unwrap_or_else(|| panic!("{message}"));
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

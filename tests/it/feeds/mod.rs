//! Feeds over HTTP: what is published is polled, once and in order.

mod absent;
mod answers;
mod apart;
mod bad;
mod cases;
mod durable;
pub mod full;
mod held;
mod keys;
mod limits;
mod restored;
mod retired;

use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use serde_json::{Value as Json, json};
use turnout::auth::{Algorithm, AnonymousAccess};

use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY};
use crate::support::issuer::Issuer;

/// A service with the flag `a`, its issuer of sessions and its server key.
pub struct Feeds {
    pub guarded: ProtectedEndpoint,
    pub issuer: Issuer,
}

/// An answer as it was read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Json,
}

impl Answer {
    pub async fn of(response: Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Json::Null);
        Answer { status, headers, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub fn cursor(&self) -> String {
        self.body["cursor"].as_str().unwrap().to_owned()
    }

    /// The ids of the events of a page.
    pub fn ids(&self) -> Vec<String> {
        let events = self.body["events"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Feeds {
    pub async fn start() -> Feeds {
        let issuer = Issuer::new(Algorithm::Es256, "key");
        let guarded =
            ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Allow)
                .await;
        Feeds { guarded, issuer }
    }

    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        credential: Option<&str>,
        body: Option<String>,
    ) -> Answer {
        let service = &self.guarded.service;
        let mut request = service.client.request(method, service.url(path));
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn publish_raw(&self, stream: &str, body: String) -> Answer {
        self.ask(Method::POST, &format!("/v1/feeds/a/{stream}"), Some(SERVER_KEY), Some(body)).await
    }

    pub async fn publish(&self, stream: &str, body: Json) -> Answer {
        self.publish_raw(stream, body.to_string()).await
    }

    /// Publishes events with these ids, and expects that all are taken.
    pub async fn publish_ids(&self, stream: &str, ids: impl IntoIterator<Item = String>) {
        let events: Vec<Json> = ids.into_iter().map(|id| event(&id)).collect();
        for some in events.chunks(100) {
            let answer = self.publish(stream, json!({ "events": some })).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body["accepted"], some.len(), "{answer:?}");
        }
    }

    pub async fn delete(&self, stream: &str) -> Answer {
        self.ask(Method::DELETE, &format!("/v1/feeds/a/{stream}"), Some(SERVER_KEY), None).await
    }

    /// Polls as a server.
    pub async fn poll(&self, stream: &str, query: &str) -> Answer {
        self.ask(Method::GET, &format!("/v1/feeds/a/{stream}{query}"), Some(SERVER_KEY), None).await
    }

    /// Polls as a verified user.
    pub async fn poll_as(&self, user: &str, stream: &str, query: &str) -> Answer {
        let token = self.issuer.token(user);
        self.ask(Method::GET, &format!("/v1/feeds/a/{stream}{query}"), Some(&token), None).await
    }

    /// Every id behind a cursor, or with an empty one from the start, page by page.
    pub async fn drain(&self, stream: &str, cursor: &str, limit: u32) -> Vec<String> {
        let (mut cursor, mut ids) = (cursor.to_owned(), Vec::new());
        loop {
            let from = if cursor.is_empty() { String::new() } else { format!("cursor={cursor}&") };
            let page = self.poll(stream, &format!("?{from}limit={limit}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            ids.extend(page.ids());
            cursor = page.cursor();
            if page.body["hasMore"] == false {
                return ids;
            }
        }
    }
}

pub fn event(id: &str) -> Json {
    json!({ "id": id, "type": "build.step", "data": { "id": id } })
}

pub fn numbered(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|n| format!("e-{n}")).collect()
}

//! A client that watches: reads a stream event by event.

use reqwest::{Method, Response};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use super::{PATIENCE, Service};

/// An open stream.
pub struct Watcher {
    pub response: Response,
    text: String,
}

/// One event of it.
#[derive(Debug, PartialEq)]
pub struct Event {
    pub id: Option<String>,
    pub retry: Option<u64>,
    pub data: Json,
}

impl Event {
    /// What kind of event it is.
    pub fn kind(&self) -> &str {
        self.data["type"].as_str().unwrap()
    }

    /// The strategy of its document.
    pub fn strategy(&self) -> &str {
        self.data["document"]["strategy"]
            .as_str()
            .unwrap_or_else(|| panic!("no document: {self:?}"))
    }
}

impl Watcher {
    pub async fn open(service: &Service, path: &str, body: &str) -> Watcher {
        let response =
            service.client.post(service.url(path)).body(body.to_owned()).send().await.unwrap();
        Watcher::of(response)
    }

    pub async fn open_as(service: &Service, path: &str, token: &str) -> Watcher {
        Watcher::of(
            service
                .client
                .request(Method::GET, service.url(path))
                .bearer_auth(token)
                .send()
                .await
                .unwrap(),
        )
    }

    /// Any user, asked for by a server.
    pub async fn open_as_server(service: &Service, path: &str, key: &str) -> Watcher {
        let asked = service
            .client
            .post(service.url(path))
            .bearer_auth(key)
            .body(r#"{"targetingKey":"u-1"}"#);
        Watcher::of(asked.send().await.unwrap())
    }

    /// One user of one flag.
    pub async fn of_user(service: &Service, flag: &str, user: &str) -> Watcher {
        let body = json!({ "targetingKey": user }).to_string();
        Watcher::open(service, &format!("/v1/strategy/{flag}/watch"), &body).await
    }

    pub fn of(response: Response) -> Watcher {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Watcher { response, text: String::new() }
    }

    /// The next event, whatever it is.
    pub async fn next(&mut self) -> Event {
        self.maybe_next().await.expect("the stream ended")
    }

    /// The next event that is not a heartbeat.
    pub async fn next_state(&mut self) -> Event {
        loop {
            let event = self.next().await;
            if event.kind() != "heartbeat" {
                return event;
            }
        }
    }

    /// `None` once the stream has ended.
    pub async fn maybe_next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                };
                let (id, retry) = (
                    field("id").map(str::to_owned),
                    field("retry").map(|retry| retry.parse().unwrap()),
                );
                // The lines of one event's data are one text.
                let lines = event.lines().filter_map(|line| line.strip_prefix("data: "));
                let data = lines.collect::<Vec<_>>().join("\n");
                let data = (!data.is_empty()).then(|| serde_json::from_str(&data).unwrap());
                self.text = rest.to_owned();
                match data {
                    Some(data) => return Some(Event { id, retry, data }),
                    None => continue,
                }
            }
            let piece = timeout(PATIENCE, self.response.chunk())
                .await
                .expect("an event never came")
                .ok()
                .flatten()?;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

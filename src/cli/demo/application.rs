//! The application of a demo, as one of yours would be: with its server key it makes a session for
//! each user, and publishes what its builds do.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value as Json, json};
use tokio::time::sleep;
use turnout_api::sessions::{NewSession, Session};

use super::folder::FLAG;
use super::ports::CLIENTS;
use crate::cli::http_client::{self, CliError, Target};

/// The stream that all clients follow.
pub const STREAM: &str = "builds";
/// How many steps a build has, and how long a step takes.
const STEPS: u32 = 12;
const STEP: Duration = Duration::from_secs(1);
/// The longest wait for an answer of the server, which is on this machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the application needs to call Turnout.
pub struct Application {
    client: Client,
    url: String,
    server_key: String,
}

impl Application {
    pub fn of(url: &str, server_key: &str) -> Result<Application, CliError> {
        let client = Target::parse(url)?.client()?;
        Ok(Application { client, url: url.to_owned(), server_key: server_key.to_owned() })
    }

    /// A session for the user of this number, from 1; `None` for a number that no client has, and
    /// while the server makes none.
    pub async fn session(&self, number: u64) -> Option<Session> {
        if !(1..=CLIENTS as u64).contains(&number) {
            return None;
        }
        let targeting_key = format!("demo-{number:02}");
        let body = NewSession { targeting_key, ..NewSession::default() };
        serde_json::from_slice(&self.post("/v1/sessions", &json!(body)).await?).ok()
    }

    /// One build after the other, a step a second. An event that did not arrive is sent again.
    pub async fn publish_for_ever(&self) {
        for build in 1_u32.. {
            for step in 1..=STEPS {
                let data = json!({ "build": build, "step": step, "of": STEPS });
                let kind = if step == STEPS { "build.done" } else { "build.step" };
                let event = json!({ "id": format!("{build}-{step}"), "type": kind, "data": data });
                let body = json!({ "readers": "verified", "events": [event] });
                while self.post(&format!("/v1/feeds/{FLAG}/{STREAM}"), &body).await.is_none() {
                    sleep(STEP).await;
                }
                sleep(STEP).await;
            }
        }
    }

    /// The body of an answer that is a success.
    async fn post(&self, path: &str, body: &Json) -> Option<hyper::body::Bytes> {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.server_key);
        let request = request.timeout(PATIENCE).body(body.to_string());
        let answer = http_client::whole(request).await.ok()?;
        answer.status().is_success().then(|| answer.into_body())
    }
}

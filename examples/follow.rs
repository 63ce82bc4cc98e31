//! Follows the strategy of one user: prints it now and whenever it changes. It comes back when the
//! stream ends, asks meanwhile, and acknowledges what it holds, so that operators see a change
//! arrive. It uses the public HTTP calls of docs/HTTP.md and nothing else of Turnout.
//!
//! ```sh
//! cargo run -- serve
//! cargo run --example follow -- http://127.0.0.1:7070 build-events u-1
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example prints, and knows only the public calls"
)]

use std::error::Error;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};

/// An acknowledgement waits for a random part of this, so that clients do not all send at once.
const LONGEST_ACK_DELAY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_ANSWER: Duration = Duration::from_secs(10);
/// Used until the first event says how often a heartbeat comes.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
const LONGEST_EVENT_BYTES: usize = 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, flag, user] = arguments.as_slice() else {
        return Err("usage: follow URL FLAG USER".into());
    };
    let mut follower =
        StrategyFollower::new(Client::new(), url, flag, user, |line| println!("{line}"));
    Err(follower.run().await.into())
}

/// What one client knows.
pub struct StrategyFollower<F> {
    client: Client,
    url: String,
    flag: String,
    question: Value,
    on_change: F,
    /// The tag of the document that holds, once there is one.
    etag: Option<String>,
    valid_for: Duration,
    /// How long to wait after a stream that ended without a goodbye.
    retry: Duration,
}

impl<F: FnMut(&str)> StrategyFollower<F> {
    pub fn new(
        client: Client,
        url: &str,
        flag: &str,
        user: &str,
        on_change: F,
    ) -> StrategyFollower<F> {
        StrategyFollower {
            client,
            url: url.to_owned(),
            flag: flag.to_owned(),
            question: json!({ "targetingKey": user }),
            on_change,
            etag: None,
            valid_for: Duration::from_secs(60),
            retry: Duration::from_secs(2),
        }
    }

    /// Follows until the server refuses what waiting cannot change: the reason.
    pub async fn run(&mut self) -> String {
        let mut failures = 0;
        loop {
            let pause = match self.post("/watch").await {
                Ok(stream) => {
                    failures = 0;
                    self.read(stream).await
                }
                Err(Failure::Refused(why)) => return why,
                Err(Failure::Passing(retry_after)) => {
                    failures += 1;
                    retry_after
                }
            };
            let pause = pause.unwrap_or_else(|| {
                let longer = self.retry * 2_u32.pow(failures.min(5));
                longer.min(LONGEST_RETRY.max(self.retry)).mul_f64(0.5 + fastrand::f64() / 2.0)
            });
            if let Err(why) = self.ask_for(pause).await {
                return why;
            }
        }
    }

    /// Reads a stream to its end: how long a goodbye asked to wait.
    async fn read(&mut self, mut stream: Response) -> Option<Duration> {
        let (mut bytes, mut ack_id, mut silence) = (Vec::new(), String::new(), LONGEST_SILENCE);
        // The newest position, and when to acknowledge it.
        let mut ack: Option<(String, Instant)> = None;
        loop {
            let ack_at = ack.as_ref().map_or_else(Instant::now, |(_, at)| *at);
            let piece = tokio::select! {
                piece = timeout(silence, stream.chunk()) => piece.ok()?.ok()??,
                () = sleep_until(ack_at), if ack.is_some() => {
                    if let Some((position, _)) = ack.take() {
                        self.acknowledge(&ack_id, &position).await;
                    }
                    continue;
                }
            };
            bytes.extend_from_slice(&piece);
            if bytes.len() > LONGEST_EVENT_BYTES {
                return None;
            }
            while let Some(event) = next_event(&mut bytes) {
                self.retry = event.retry.unwrap_or(self.retry);
                let data = event.data;
                if let Some(id) = data["ackId"].as_str() {
                    ack_id = id.to_owned();
                    silence = ms(&data["heartbeatMs"]).map_or(silence, |every| every * 5 / 2);
                }
                match data["type"].as_str() {
                    Some("strategy") => self.take(&data["etag"], &data["document"]),
                    // The server believes that another document is held: an event was missed.
                    Some("heartbeat") if data["etag"].as_str() != self.etag.as_deref() => {
                        if self.ask().await.is_err() {
                            continue;
                        }
                    }
                    Some("heartbeat") => {}
                    Some("goodbye") => return ms(&data["afterMs"]),
                    _ => continue,
                }
                let delay = LONGEST_ACK_DELAY.mul_f64(fastrand::f64());
                let at = ack.map_or_else(|| Instant::now() + delay, |(_, at)| at);
                ack = Some((event.id, at));
            }
        }
    }

    /// Asks as often as an answer is valid, until the next try of a stream.
    async fn ask_for(&mut self, pause: Duration) -> Result<(), String> {
        let end = Instant::now() + pause;
        let mut due =
            self.etag.as_ref().map_or_else(Instant::now, |_| Instant::now() + self.valid_for);
        while due < end {
            sleep_until(due).await;
            due = Instant::now() + self.valid_for;
            if let Err(Failure::Refused(why)) = self.ask().await {
                return Err(why);
            }
        }
        sleep_until(end).await;
        Ok(())
    }

    /// Asks once, without a stream.
    async fn ask(&mut self) -> Result<(), Failure> {
        let response = self.post("").await?;
        let etag = response.headers().get("etag").and_then(|tag| tag.to_str().ok());
        let etag = json!(etag);
        let document = timeout(LONGEST_ANSWER, response.json()).await.ok().and_then(Result::ok);
        self.take(&etag, &document.ok_or(Failure::Passing(None))?);
        Ok(())
    }

    /// Uses a document. It is valid until another one comes, whatever happens to the server.
    fn take(&mut self, etag: &Value, document: &Value) {
        self.valid_for = ms(&document["validForMs"]).unwrap_or(self.valid_for);
        if etag.as_str() != self.etag.as_deref() {
            self.etag = etag.as_str().map(str::to_owned);
            (self.on_change)(document["strategy"].as_str().unwrap_or("polling"));
        }
    }

    /// A lost acknowledgement is made up for by the next heartbeat's.
    async fn acknowledge(&self, ack_id: &str, position: &str) {
        let body = json!({ "ackId": ack_id, "position": position });
        let sent = self.client.post(format!("{}/v1/watch/ack", self.url)).json(&body).send();
        let _ = timeout(LONGEST_ANSWER, sent).await;
    }

    async fn post(&self, more: &str) -> Result<Response, Failure> {
        // The user stands in the body: an address would be logged on the way.
        let address = format!("{}/v1/strategy/{}{more}", self.url, self.flag);
        let sent = self.client.post(address).json(&self.question).send();
        let Ok(Ok(response)) = timeout(LONGEST_ANSWER, sent).await else {
            return Err(Failure::Passing(None));
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
            let problem: Value = response.json().await.unwrap_or_default();
            let detail = problem["detail"].as_str().unwrap_or_default();
            return Err(Failure::Refused(format!("{status}: {detail}")));
        }
        let seconds = response.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        Err(Failure::Passing(seconds.map(Duration::from_secs)))
    }
}

/// Why a call was not answered.
enum Failure {
    /// Waiting may help: for so long, if the server said.
    Passing(Option<Duration>),
    Refused(String),
}

struct Event {
    id: String,
    data: Value,
    retry: Option<Duration>,
}

/// Takes the first whole server-sent event. Turnout ends lines with LF, and sends one line of data.
fn next_event(bytes: &mut Vec<u8>) -> Option<Event> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")? + 2;
    let text = String::from_utf8_lossy(&bytes.drain(..end).collect::<Vec<u8>>()).into_owned();
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    Some(Event {
        id: field("id").unwrap_or_default().to_owned(),
        data: field("data").and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default(),
        retry: field("retry").and_then(|text| text.parse().ok()).map(Duration::from_millis),
    })
}

fn ms(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_millis)
}

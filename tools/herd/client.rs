//! One client: polls as its document says, enters realtime within the spread when it hears of it, and
//! leaves at once when it is told to. It takes the times of the documents' defaults.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::tally::{Tally, Track};
use crate::wire::Wire;

const START: Duration = Duration::from_secs(4);
const MAX: Duration = Duration::from_secs(15);
/// Either way, in hundredths.
const JITTER_PERCENT: f64 = 5.0;
const SPREAD: Duration = Duration::from_secs(5);
const RETRY: [u64; 5] = [2, 4, 8, 16, 32];
const HOSTS: std::ops::Range<u8> = 10..26;
const STREAM: &str = "build-events/b-42";

pub struct Client {
    server: SocketAddr,
    /// The last part of the address it comes from.
    host: u8,
    session: Box<str>,
    tally: Arc<Tally>,
    cursor: String,
    /// The position of the document that is held.
    held: String,
    failures: usize,
}

impl Client {
    pub fn new(server: SocketAddr, session: &str, tally: Arc<Tally>) -> Client {
        let (session, cursor, held) = (session.into(), "now".to_owned(), String::new());
        let host = fastrand::u8(HOSTS);
        Client { server, host, session, tally, cursor, held, failures: 0 }
    }

    pub async fn run(mut self) {
        // All begin within the spread.
        sleep(SPREAD.mul_f64(fastrand::f64())).await;
        loop {
            self.tally.enter(Track::Polling);
            while let Err(error) = self.poll_until_realtime().await {
                self.tally.answered(&format!("poll-{:?}", error.kind()), 0);
                sleep(Duration::from_secs(1)).await;
            }
            self.tally.leave(Track::Polling);
            if let Err(error) = self.follow().await {
                self.tally.answered(&format!("realtime-{:?}", error.kind()), 0);
                // It asks again, and enters again.
                self.held.clear();
            }
            sleep(SPREAD.mul_f64(fastrand::f64())).await;
        }
    }

    /// Polls on until it is time to enter realtime.
    async fn poll_until_realtime(&mut self) -> io::Result<()> {
        let mut wire = Wire::open_from(self.host, self.server).await?;
        let (mut pause, mut enters): (Duration, Option<Instant>) = (START, None);
        loop {
            self.tally.polled();
            let path = format!("/v1/feeds/{STREAM}?limit=50&cursor={}", self.cursor);
            let answer = wire.get(&path, &self.session).await?;
            self.tally.answered("poll", answer.status);
            if answer.status == 200 {
                let page: Json = serde_json::from_str(&answer.body).unwrap_or_default();
                let is_empty = page["events"].as_array().is_none_or(Vec::is_empty);
                pause = if is_empty { pause.mul_f64(1.5).min(MAX) } else { START };
                self.cursor = page["cursor"].as_str().unwrap_or("now").to_owned();
            }
            if answer.changed_at != self.held {
                let own = wire.get("/v1/strategy/build-events", &self.session).await?;
                self.tally.answered("strategy", own.status);
                if own.status == 200 {
                    self.held = own.changed_at;
                    let is_realtime = own.body.contains("\"strategy\":\"realtime-v2\"");
                    enters = is_realtime.then(|| Instant::now() + SPREAD.mul_f64(fastrand::f64()));
                }
            }
            let next = pause.mul_f64(1.0 + JITTER_PERCENT / 100.0 * (2.0 * fastrand::f64() - 1.0));
            let next = Instant::now() + next;
            if let Some(enters_at) = enters.filter(|enters| *enters <= next) {
                sleep_until(enters_at).await;
                return Ok(());
            }
            sleep_until(next).await;
        }
    }

    /// Follows in realtime until the strategy is another.
    async fn follow(&mut self) -> io::Result<()> {
        let mut wire = Wire::open_from(self.host, self.server).await?;
        let body = r#"{"flag":"build-events","stream":"b-42"}"#;
        let answer = wire.post("/v1/token", &self.session, body).await?;
        self.tally.answered("token", answer.status);
        if answer.status != 200 {
            return self.back_off().await;
        }
        let made: Json = serde_json::from_str(&answer.body).unwrap_or_default();
        let token = made["token"].as_str().unwrap_or_default();
        let path = format!("/v1/realtime/{STREAM}?cursor={}", self.cursor);
        let opened = wire.get(&path, token).await?;
        self.tally.answered("realtime", opened.status);
        if opened.status != 200 {
            return self.back_off().await;
        }
        self.failures = 0;
        let mut is_live = false;
        let left = loop {
            let message = match wire.message().await {
                Ok(message) => message,
                Err(error) => break Err(error),
            };
            if message.contains("\"type\":\"up-to-date\"") {
                self.tally.enter(Track::Realtime);
                is_live = true;
            }
            if let Some(id) = message.lines().find_map(|line| line.strip_prefix("id: ")) {
                self.cursor = id.to_owned();
            }
            if message.contains("\"type\":\"strategy\"") && !message.contains("realtime-v2") {
                // It has the document, and knows by its position when there is a later one.
                let data = message.lines().find_map(|line| line.strip_prefix("data: "));
                let said: Json = serde_json::from_str(data.unwrap_or_default()).unwrap_or_default();
                self.held = said["position"].as_str().unwrap_or_default().to_owned();
                break Ok(());
            }
        };
        if is_live {
            self.tally.leave(Track::Realtime);
        }
        left
    }

    async fn back_off(&mut self) -> io::Result<()> {
        let wait = RETRY[self.failures.min(RETRY.len() - 1)];
        self.failures += 1;
        self.held.clear();
        sleep(Duration::from_secs(wait)).await;
        Ok(())
    }
}

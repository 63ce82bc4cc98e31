//! The realtime track of `turnout follow`: a session is exchanged for a token, and the token opens a
//! stream. While that does not work the follower polls.

use std::time::Duration;

use reqwest::Response;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};
use turnout_api::problem::Code;
use turnout_api::realtime::{MessageKind, RealtimeMessage};
use turnout_api::sessions::StreamToken;
use turnout_api::strategy::{RealtimeKind, Strategy, StrategyDocument};
use turnout_api::watch::{Acknowledgement, CloseReason};

use super::client::{FeedClient, FeedError};
use crate::auth::random_number;
use crate::cli::events::Events;
use crate::flag::FlagKey;

/// How long a stream that was never live may take, and how long a live one may say nothing, where
/// the server did not say how often it does.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);
/// The longest wait that a server may ask for.
const LONGEST: Duration = Duration::from_secs(600);

/// How a flag's clients follow in realtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealtimeTerms {
    /// The waits between attempts, and the one after the last.
    retry: Vec<Duration>,
    fallback: Duration,
    /// A client enters within this.
    pub enter_spread: Duration,
}

impl RealtimeTerms {
    /// What a document says; `None` where its clients poll, or follow another server.
    pub fn of(document: &StrategyDocument) -> Option<RealtimeTerms> {
        let realtime = document.realtime.as_ref()?;
        let is_ours = realtime.url.as_ref().is_none_or(|url| url.contains("/v1/realtime/"));
        let is_told = document.strategy == Strategy::RealtimeV2;
        let ms = |ms: u64| Duration::from_millis(ms).min(LONGEST);
        (is_told && is_ours && realtime.kind == RealtimeKind::Sse).then(|| RealtimeTerms {
            retry: realtime.retry_ms.iter().copied().map(ms).collect(),
            fallback: ms(realtime.fallback_ms),
            enter_spread: ms(document.enter_spread_ms),
        })
    }
}

/// Why a stream is followed no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// The stream of events has ended.
    Ended,
    /// The strategy is another now.
    Strategy,
    /// The printed events have no reader any more.
    Reader,
    /// It broke, or was ended: another is opened after this, if the server said so.
    Broken { why: String, after: Option<Duration> },
}

/// What a stream says of events.
pub enum Told<'m> {
    /// These events, and the cursor behind them.
    Events(&'m [Box<RawValue>], String),
    /// The stream is followed anew from this cursor.
    Reset(String),
}

/// Opens streams one after another, and knows when to try again.
#[derive(Default)]
pub struct RealtimeTrack {
    token: Option<Token>,
    failures: usize,
    next: Option<Instant>,
}

struct Token {
    text: String,
    refresh_at: Instant,
}

impl RealtimeTrack {
    /// Whether it is time to open a stream. A client enters at a random moment of the spread.
    pub fn is_due(&mut self, terms: &RealtimeTerms) -> bool {
        let now = Instant::now();
        *self.next.get_or_insert_with(|| now + jitter(terms.enter_spread)) <= now
    }

    /// When it is next time to open a stream.
    pub fn next(&self) -> Option<Duration> {
        self.next.map(|next| next.saturating_duration_since(Instant::now()))
    }

    /// The strategy is another: it is entered anew.
    pub fn leave(&mut self) {
        (self.next, self.failures) = (None, 0);
    }

    /// Plans the next attempt, after so much if the server said so.
    pub fn plan(&mut self, terms: &RealtimeTerms, after: Option<Duration>) -> Duration {
        let wait = terms.retry.get(self.failures).copied().unwrap_or(terms.fallback);
        self.failures += 1;
        let wait = after.unwrap_or(Duration::ZERO).max(wait);
        self.next = Some(Instant::now() + wait);
        wait
    }

    /// Follows one stream behind a cursor until it ends. `take` is given what is said of events, and
    /// returns false where they have no reader; `live` is called once they are live.
    pub async fn follow(
        &mut self,
        client: &FeedClient,
        (flag, stream): (&FlagKey, &str),
        cursor: Option<&str>,
        mut take: impl FnMut(Told<'_>) -> bool,
        live: impl FnOnce(),
    ) -> Left {
        let opened = self.open(client, (flag, stream), cursor).await;
        let mut response = match opened {
            Ok(response) => response,
            Err(FeedError { error, retry_after, .. }) => {
                if matches!(error.code, Some(Code::Unauthenticated | Code::StreamNotFound)) {
                    self.token = None;
                }
                return match error.code {
                    Some(Code::NotRealtime) => Left::Strategy,
                    _ => Left::Broken { why: error.message, after: retry_after },
                };
            }
        };
        let (mut events, mut silence, mut live) = (Events::default(), CONNECT, Some(live));
        let (mut ack_id, mut every) = (String::new(), SILENCE);
        let broken = |why: &str| Left::Broken { why: why.to_owned(), after: None };
        loop {
            let piece = match timeout(silence, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None) | Err(_)) => return broken("the stream broke"),
                Err(_) => return broken("nothing came on the stream for too long"),
            };
            let Ok(whole) = events.feed(&piece) else { return broken("a message had no end") };
            for event in whole {
                let Ok(message) = serde_json::from_str::<RealtimeMessage>(&event.data) else {
                    continue;
                };
                match (message.kind, message.cursor) {
                    (MessageKind::Events, Some(cursor)) => {
                        let is_read = take(Told::Events(&message.events, cursor));
                        if !is_read {
                            return Left::Reader;
                        }
                    }
                    (MessageKind::Reset, Some(cursor)) => {
                        take(Told::Reset(cursor));
                    }
                    (MessageKind::UpToDate, _) => {
                        (self.failures, silence) = (0, every);
                        if let Some(live) = live.take() {
                            live();
                        }
                    }
                    (MessageKind::Goodbye, _) => {
                        let after = message.after_ms;
                        let after = after.map(|ms| Duration::from_millis(ms).min(LONGEST));
                        match message.reason {
                            Some(CloseReason::Ended) => return Left::Ended,
                            Some(CloseReason::Strategy) => return Left::Strategy,
                            // Events may still come; but another stream begins where this one was.
                            reason => {
                                if reason == Some(CloseReason::Expired) {
                                    self.token = None;
                                }
                                let reason = reason.map_or("no reason", CloseReason::as_str);
                                let why = format!("the server said goodbye ({reason})");
                                return Left::Broken { why, after };
                            }
                        }
                    }
                    (MessageKind::Strategy | MessageKind::Heartbeat, _) => {
                        if let Some(id) = message.ack_id {
                            ack_id = id;
                            let beat = message.heartbeat_ms;
                            let beat = beat.filter(|ms| *ms > 0).map(Duration::from_millis);
                            every = beat.map_or(SILENCE, |beat| beat.min(LONGEST) * 5 / 2);
                        }
                        let position = message.position.unwrap_or_default();
                        let held = Acknowledgement { ack_id: ack_id.clone(), position };
                        let _ = client.post("/v1/watch/ack", json!(held).to_string()).await;
                        let strategy = message.document.map(|document| document.strategy);
                        if strategy.is_some_and(|strategy| strategy != Strategy::RealtimeV2) {
                            return Left::Strategy;
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    async fn open(
        &mut self,
        client: &FeedClient,
        (flag, stream): (&FlagKey, &str),
        cursor: Option<&str>,
    ) -> Result<Response, FeedError> {
        let now = Instant::now();
        let token = match &self.token {
            Some(token) if token.refresh_at > now => token.text.clone(),
            _ => {
                let body = json!({ "flag": flag, "stream": stream }).to_string();
                let made: StreamToken = client.read(&client.post("/v1/token", body).await?)?;
                let refresh_at = now + Duration::from_millis(made.refresh_after_ms).min(LONGEST);
                self.token = Some(Token { text: made.token.clone(), refresh_at });
                made.token
            }
        };
        client.open(&format!("/v1/realtime/{flag}/{stream}"), &token, cursor).await
    }
}

/// A random part of a duration.
pub fn jitter(time: Duration) -> Duration {
    let chance = random_number().unwrap_or(u64::MAX) >> 32;
    time.mul_f64(chance as f64 / f64::from(u32::MAX))
}

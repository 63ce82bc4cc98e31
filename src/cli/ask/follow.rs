//! Follows what holds for one user: by a stream, and by polling while there is none. It reconnects
//! by itself, and ends only when its reader leaves.
//!
//! A document holds until another one is received. Only an error that waiting cannot fix, found at
//! the very first question, ends it.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::advice::advice;
use super::client::{AskError, StrategyAnswer, StrategyClient};
use super::stream::{self, Back, Ended, jitter};
use crate::cli::answer::Answer;
use crate::cli::http_client::CliError;
use crate::cli::{Exit, print_note, printed, time};
use crate::clock;

/// How long a document that does not say is valid.
const VALID_FOR: Duration = Duration::from_secs(60);
/// How long a client waits for a stream by default, and at most.
const RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// No value from a server makes a client wait for longer.
const DAY: Duration = Duration::from_secs(86_400);

/// A duration that a server sent, limited to what a client accepts.
pub fn at_most_a_day(ms: u64) -> Duration {
    Duration::from_millis(ms).min(DAY)
}

/// The reader has left, or there is no use in going on.
pub enum Gone {
    Reader,
    Hopeless(CliError),
}

/// How a change was learned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Stream,
    Asking,
}

/// A client of one flag.
pub struct StrategyFollower<'a> {
    client: &'a StrategyClient,
    json: bool,
    held: Option<StrategyAnswer>,
    /// When it was last known that the document holds.
    known_at: Instant,
    /// How often in a row there was no stream.
    failures: u32,
    retry: Duration,
    said: String,
}

impl<'a> StrategyFollower<'a> {
    pub fn new(client: &'a StrategyClient, json: bool) -> StrategyFollower<'a> {
        StrategyFollower {
            client,
            json,
            held: None,
            known_at: Instant::now(),
            failures: 0,
            retry: RETRY,
            said: String::new(),
        }
    }

    /// Runs until the reader of the output leaves.
    pub async fn run(mut self) -> Result<(), CliError> {
        loop {
            match self.turn().await {
                Ok(()) => {}
                Err(Gone::Reader) => return Ok(()),
                Err(Gone::Hopeless(error)) => return Err(self.client.with_hint(error).await),
            }
        }
    }

    /// A stream, for as long as there is one, and then the wait for the next.
    async fn turn(&mut self) -> Result<(), Gone> {
        let (what, why, pause) = match self.client.open().await {
            Ok(response) => {
                self.failures = 0;
                self.say(&format!(
                    "watching {} at {}; Ctrl-C ends it",
                    self.client.flag, self.client.url
                ));
                let Ended { why, back_in } = stream::read(self, response).await?;
                (None, why, self.pause(back_in))
            }
            Err(AskError { error, retry_after }) => {
                self.failures = self.failures.saturating_add(1);
                self.is_hopeful(&error)?;
                let back = match (retry_after, error.exit) {
                    // Whole seconds, which many clients were sent alike.
                    (Some(after), _) => {
                        Back::After(after.min(DAY) + jitter(Duration::from_secs(1)))
                    }
                    (None, Exit::Failed) => Back::About(None),
                    // Waiting seldom fixes it, so it is asked no more often than for news.
                    (None, _) => Back::After(self.valid_for()),
                };
                (error.code.map(|code| code.to_string()), error.message, self.pause(back))
            }
        };
        // A refusal may be worded differently each time, and is reported once.
        let what = what.unwrap_or_else(|| why.clone());
        if self.said != what {
            let every = self.valid_for().as_secs_f64();
            print_note(&format!(
                "{why}; asking every {every} s, and for a stream again in {:.1} s",
                pause.as_secs_f64()
            ));
            self.said = what;
        }
        self.poll_for(pause).await
    }

    /// Asks as often as a document is valid, until the next stream is due.
    async fn poll_for(&mut self, pause: Duration) -> Result<(), Gone> {
        let until = Instant::now() + pause;
        let mut asked_at = self.held.as_ref().map(|_| self.known_at);
        loop {
            let due = asked_at.map_or_else(Instant::now, |at| at + self.valid_for());
            if due >= until {
                sleep(until.saturating_duration_since(Instant::now())).await;
                return Ok(());
            }
            sleep(due.saturating_duration_since(Instant::now())).await;
            self.resync().await?;
            asked_at = Some(Instant::now());
        }
    }

    /// Asks what holds now; returns whether that was answered.
    pub async fn resync(&mut self) -> Result<bool, Gone> {
        match self.client.ask().await {
            Ok(answer) => self.take(answer, Source::Asking).map(|()| true),
            Err(AskError { error, .. }) => {
                self.is_hopeful(&error)?;
                self.say(&error.message);
                Ok(false)
            }
        }
    }

    /// Takes the document that holds now, and shows it if it differs from the one before.
    pub fn take(&mut self, answer: StrategyAnswer, source: Source) -> Result<(), Gone> {
        self.known_at = Instant::now();
        if self.still_holds(Some(&answer.etag)) {
            return Ok(());
        }
        let line = self.shown(&answer, source);
        self.held = Some(answer);
        if printed(&line) { Ok(()) } else { Err(Gone::Reader) }
    }

    /// Whether this is the tag of the document that is held.
    pub fn still_holds(&mut self, etag: Option<&str>) -> bool {
        let same = self.held.as_ref().is_some_and(|held| etag == Some(&*held.etag));
        if same {
            self.known_at = Instant::now();
        }
        same
    }

    pub fn client(&self) -> &'a StrategyClient {
        self.client
    }

    /// How long the document that is held needs no other proof.
    pub fn valid_for(&self) -> Duration {
        let ms = self.held.as_ref().map(|held| held.document.read.valid_for_ms);
        let ms = ms.filter(|ms| *ms > 0);
        ms.map_or(VALID_FOR, at_most_a_day)
    }

    fn shown(&self, answer: &StrategyAnswer, source: Source) -> String {
        let StrategyAnswer { document, etag, position, error_attribute: _ } = answer;
        let Answer { json: sent, read } = document;
        let does = advice(self.held.as_ref().map(|held| &held.document.read), read);
        let (strategy, rule, now) = (read.strategy, read.rule, clock::wall_ms());
        if self.json {
            let by = match source {
                Source::Stream => "stream",
                Source::Asking => "asking",
            };
            let line = json!({
                "atMs": now, "position": position, "etag": etag, "strategy": strategy, "rule": rule, "by": by, "client": does,
                "document": sent,
            });
            return format!("{line}\n");
        }
        let by = if source == Source::Asking { " (by asking)" } else { "" };
        format!(
            "{}  {position:<5}  {strategy:<11}  rule {rule:<8}  {does}{by}\n",
            time::to_the_millisecond(now)
        )
    }

    /// Whether waiting may fix it; what once worked may work again.
    fn is_hopeful(&self, error: &CliError) -> Result<(), Gone> {
        if self.held.is_some() || error.exit == Exit::Failed {
            Ok(())
        } else {
            Err(Gone::Hopeless(error.clone()))
        }
    }

    /// How long to wait for the next stream: as the server said, or longer each time, and never all
    /// at once.
    fn pause(&mut self, back: Back) -> Duration {
        match back {
            Back::After(after) => after.min(DAY),
            Back::About(retry) => {
                self.retry = retry.unwrap_or(self.retry).min(DAY);
                let longer = self.retry * 2_u32.pow(self.failures.saturating_sub(1).min(5));
                let most = longer.min(LONGEST_RETRY.max(self.retry));
                most / 2 + jitter(most)
            }
        }
    }

    /// Prints a note besides the data, once.
    pub fn say(&mut self, message: &str) {
        if self.said != message {
            print_note(message);
            self.said = message.to_owned();
        }
    }
}

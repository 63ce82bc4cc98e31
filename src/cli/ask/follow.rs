//! What a client of one flag holds: a document, until another one is received.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::advice::advice;
use super::client::{AskError, StrategyAnswer, StrategyClient};
use crate::cli::answer::Answer;
use crate::cli::http_client::CliError;
use crate::cli::output::print_lines;
use crate::cli::{Exit, print_note, printed, time};
use crate::clock;

/// How long a document that does not say is valid.
const VALID_FOR: Duration = Duration::from_secs(60);
/// How long a client waits for a stream, unless a server says otherwise.
const RETRY: Duration = Duration::from_secs(2);
/// No value from a server makes a client wait for longer.
pub const DAY: Duration = Duration::from_secs(86_400);

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
    pub(super) client: &'a StrategyClient,
    json: bool,
    pub(super) held: Option<StrategyAnswer>,
    /// When it was last known that the document holds.
    pub(super) known_at: Instant,
    /// How often in a row there was no stream.
    pub(super) failures: u32,
    pub(super) retry: Duration,
    pub(super) said: String,
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
        let is_printed = if self.json { printed(&line) } else { print_lines(&line) };
        if is_printed { Ok(()) } else { Err(Gone::Reader) }
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
    pub(super) fn is_hopeful(&self, error: &CliError) -> Result<(), Gone> {
        if self.held.is_some() || error.exit == Exit::Failed {
            Ok(())
        } else {
            Err(Gone::Hopeless(error.clone()))
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

//! Follows what holds for one user: by a stream, and by polling while there is none. It reconnects
//! by itself, and ends only when its reader leaves.
//!
//! Only an error that waiting cannot fix, found at the very first question, ends it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::client::AskError;
use super::follow::{DAY, Gone, StrategyFollower};
use super::stream::{self, Back, Ended, jitter};
use crate::cli::http_client::CliError;
use crate::cli::{Exit, print_note};

/// The longest wait for a stream, unless a server says otherwise.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

impl StrategyFollower<'_> {
    /// Runs until the reader of the output leaves.
    pub async fn run(mut self) -> Result<(), CliError> {
        loop {
            match self.connect_once().await {
                Ok(()) => {}
                Err(Gone::Reader) => return Ok(()),
                Err(Gone::Hopeless(error)) => return Err(self.client.with_hint(error).await),
            }
        }
    }

    /// A stream, for as long as there is one, and then the wait for the next.
    async fn connect_once(&mut self) -> Result<(), Gone> {
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
}

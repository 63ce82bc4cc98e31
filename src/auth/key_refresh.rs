//! Keeps keys fresh apart from the requests, never on their path: reads a source again and again,
//! and passes on new content.
//!
//! A source that cannot be read or used changes nothing: the last good keys stay for as long as it
//! takes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::server_key::ServerKeys;
use super::session::{Fingerprint, fingerprint};
use super::sessions::Sessions;
use super::source::{Reader, Source};
use super::source_error::ReadError;

/// How often a file is read.
const FILE_EVERY: Duration = Duration::from_secs(1);
/// How often an address is asked while all is well, and at most after failures.
const URL_EVERY: Duration = Duration::from_secs(300);
/// The wait after a first failure, doubled with each further one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The shortest wait between two requests: strangers must not be able to make us ask an issuer more
/// often.
const URL_AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// The result of reading a source, reported when it differs from the last report.
#[derive(Debug)]
pub struct Report {
    /// The setting that names the source.
    pub setting: &'static str,
    pub source: String,
    pub outcome: Outcome,
    /// Whether the source was at fault before this.
    pub is_good_again: bool,
    /// Whether a person asked for it to be read now.
    pub was_asked_for: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This many keys are accepted.
    Believed(usize),
    /// Nothing changed, for this reason; this many good keys stay from before.
    Kept { error: String, keys: usize },
}

impl Report {
    /// What is wrong with the source and how to fix it, one line each; `None` while all is well.
    pub fn fault(&self) -> Option<(String, &'static str)> {
        let Report { setting, source, outcome, .. } = self;
        match outcome {
            Outcome::Believed(0) => Some((
                format!("{setting}: {source} holds no key, so none of its credentials is accepted"),
                "write a key into it, or leave the setting out",
            )),
            Outcome::Believed(_) => None,
            Outcome::Kept { error, keys: 0 } => Some((
                format!("{setting}: {source}: {error}; none of its credentials is accepted"),
                "fix the source, or leave the setting out; it is read again by itself",
            )),
            Outcome::Kept { error, keys } => Some((
                format!("{setting}: {source}: {error}; the last good keys stay ({keys})"),
                "fix the source before its keys are changed; it is read again by itself",
            )),
        }
    }
}

/// Reads a source again and again until this is dropped.
#[derive(Debug)]
pub struct KeyRefresher {
    looking: JoinHandle<()>,
    asked: Arc<Notify>,
}

impl Drop for KeyRefresher {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// Where the keys go.
enum KeySink {
    Sessions(Arc<Sessions>),
    ServerKeys(Arc<ServerKeys>),
}

impl KeyRefresher {
    /// Refreshes session keys. The source is read once before this returns.
    pub async fn sessions(
        sessions: Arc<Sessions>,
        source: &Source,
        tell: impl Fn(Report) + Send + 'static,
    ) -> KeyRefresher {
        KeyRefresher::start("TURNOUT_SESSION_KEYS", KeySink::Sessions(sessions), source, tell).await
    }

    /// Refreshes server keys. The source is read once before this returns.
    pub async fn server_keys(
        keys: Arc<ServerKeys>,
        source: &Source,
        tell: impl Fn(Report) + Send + 'static,
    ) -> KeyRefresher {
        KeyRefresher::start("TURNOUT_SERVER_KEYS_FILE", KeySink::ServerKeys(keys), source, tell)
            .await
    }

    async fn start(
        setting: &'static str,
        wanting: KeySink,
        source: &Source,
        tell: impl Fn(Report) + Send + 'static,
    ) -> KeyRefresher {
        let shown = source.to_string();
        let tell = move |outcome: Outcome, is_good_again: bool, was_asked_for: bool| {
            tell(Report { setting, source: shown.clone(), outcome, is_good_again, was_asked_for });
        };
        let asked = Arc::new(Notify::new());
        let mut look = RefreshLoop {
            reader: Reader::of(source),
            wanting,
            accepted: None,
            seen: None,
            reported: None,
            tell,
            was_asked_for: false,
            asked: asked.clone(),
        };
        let well = look.once(true).await;
        let looking = tokio::spawn(async move { look.for_ever(well).await });
        KeyRefresher { looking, asked }
    }

    /// Has the source read now and accepted as it stands, and the result reported, also where it is
    /// not new.
    pub fn look_now(&self) {
        self.asked.notify_one();
    }
}

struct RefreshLoop<T> {
    reader: Result<Reader, ReadError>,
    wanting: KeySink,
    /// The content that is accepted, and how many keys it has.
    accepted: Option<(Fingerprint, usize)>,
    /// What the last reading saw: a file must read the same twice, or it may be half written.
    seen: Option<Fingerprint>,
    reported: Option<Outcome>,
    tell: T,
    was_asked_for: bool,
    /// Notified when a person asks for a reading now.
    asked: Arc<Notify>,
}

impl<T: FnMut(Outcome, bool, bool)> RefreshLoop<T> {
    async fn for_ever(&mut self, mut well: bool) {
        let mut retry = RETRY_FIRST;
        loop {
            let asked = self.asked.clone();
            let at_once = tokio::select! {
                () = wait(&self.reader, &self.wanting, well, retry) => false,
                () = asked.notified() => true,
            };
            retry = if well { RETRY_FIRST } else { (2 * retry).min(URL_EVERY) };
            self.was_asked_for = at_once;
            well = self.once(at_once).await;
        }
    }

    /// Reads once; returns whether the source is well. What a person asks for, like the first
    /// reading at a start, is accepted without a second reading.
    async fn once(&mut self, first: bool) -> bool {
        let read = match &self.reader {
            Ok(reader) => reader.read().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => {
                self.record_error(error);
                return false;
            }
        };
        let content = fingerprint(&bytes);
        let settled =
            first || matches!(self.reader, Ok(Reader::Url(..))) || self.seen == Some(content);
        self.seen = Some(content);
        match self.accepted {
            Some((accepted, count)) if accepted == content => self.report(Outcome::Believed(count)),
            _ if settled => match self.wanting.take(&bytes) {
                Ok(count) => {
                    self.accepted = Some((content, count));
                    self.report(Outcome::Believed(count));
                }
                Err(error) => {
                    self.record_error(error);
                    return false;
                }
            },
            _ => {}
        }
        true
    }

    fn record_error(&mut self, error: String) {
        let keys = self.accepted.map_or(0, |(_, count)| count);
        self.report(Outcome::Kept { error, keys });
    }

    fn report(&mut self, outcome: Outcome) {
        let was_asked_for = std::mem::take(&mut self.was_asked_for);
        if was_asked_for || self.reported.as_ref() != Some(&outcome) {
            let before = self.reported.replace(outcome.clone());
            let had_error = matches!(before, Some(Outcome::Kept { .. }));
            let is_good_again = had_error && matches!(outcome, Outcome::Believed(_));
            (self.tell)(outcome, is_good_again, was_asked_for);
        }
    }
}

/// Waits until it is time to read again.
async fn wait(reader: &Result<Reader, ReadError>, wanting: &KeySink, well: bool, retry: Duration) {
    match reader {
        Ok(Reader::File(_)) => sleep(FILE_EVERY).await,
        Ok(Reader::Url(..)) if well => {
            sleep(URL_AT_MOST_EVERY).await;
            // A token that names an unknown key shortens the wait; otherwise it ends by itself.
            let _ = timeout(URL_EVERY - URL_AT_MOST_EVERY, wanting.unknown_key_id()).await;
        }
        Ok(Reader::Url(..)) => sleep(retry).await,
        // The result could never change.
        Err(_) => std::future::pending().await,
    }
}

impl KeySink {
    fn take(&self, bytes: &[u8]) -> Result<usize, String> {
        match self {
            KeySink::Sessions(sessions) => sessions.take(bytes).map_err(|error| error.to_string()),
            KeySink::ServerKeys(keys) => keys.take(bytes).map_err(|error| error.to_string()),
        }
    }

    async fn unknown_key_id(&self) {
        match self {
            KeySink::Sessions(sessions) => sessions.unknown_key_id().await,
            KeySink::ServerKeys(_) => std::future::pending().await,
        }
    }
}

//! Whether the database of events can be used, and what is wrong with feeds, for people.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::shares::KeptBytes;
use super::store::EventStoreError;

/// How long a change may take before the disk counts as one that does not answer.
const SILENCE_MS: i64 = 5_000;
/// How full the database is when that becomes a problem, in per cent.
const FULL_PERCENT: u64 = 80;
/// How many flags are named that fill it.
const NAMED: usize = 3;

/// A problem of feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedProblem {
    pub kind: FeedProblemKind,
    pub flag: Option<String>,
    pub message: String,
    pub hint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedProblemKind {
    EventsUnavailable,
    EventsFull,
    RetentionShortened,
}

/// Whether feeds can be used just now.
#[derive(Debug)]
pub struct Health {
    path: PathBuf,
    available: AtomicBool,
    /// When the change that is being made began, by the steady clock; 0 while none is.
    busy_since_ms: AtomicI64,
    /// Why publishes, or everything, is refused.
    trouble: Mutex<Option<EventStoreError>>,
}

impl Health {
    pub fn new(path: PathBuf) -> Health {
        Health {
            path,
            available: AtomicBool::new(false),
            busy_since_ms: AtomicI64::new(0),
            trouble: Mutex::default(),
        }
    }

    pub fn is_available(&self) -> bool {
        self.available.load(Relaxed)
    }

    /// Everything works.
    pub fn is_well(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.available.store(true, Relaxed);
    }

    /// An error came up. A disk that is full, or a database that another program has locked, still
    /// answers polls.
    pub fn failed(&self, error: EventStoreError) {
        if !error.passes() {
            self.available.store(false, Relaxed);
        }
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub fn has_trouble(&self) -> bool {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub fn begin(&self, now_ms: i64) {
        self.busy_since_ms.store(now_ms.max(1), Relaxed);
    }

    pub fn end(&self) {
        self.busy_since_ms.store(0, Relaxed);
    }

    /// Whether the change that is being made takes too long.
    pub fn look(&self, now_ms: i64) -> bool {
        let since_ms = self.busy_since_ms.load(Relaxed);
        let is_silent = since_ms > 0 && now_ms - since_ms > SILENCE_MS;
        if is_silent {
            let why = format!("it did not answer for {} s", SILENCE_MS / 1000);
            self.failed(EventStoreError::Other(why));
        }
        is_silent
    }

    /// What is wrong with the database.
    pub fn problem(&self) -> Option<FeedProblem> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let path = self.path.display();
        let (refused, hint) = match &trouble {
            EventStoreError::Full => (
                "publishes are refused",
                "make room on its disk; polls go on, and publishes are taken again by themselves"
                    .to_owned(),
            ),
            EventStoreError::Locked => (
                "publishes are refused",
                "end the program that holds it; publishes are taken again by themselves".to_owned(),
            ),
            EventStoreError::Damaged(_) => (
                "feeds answer 503",
                format!(
                    "put a copy in its place, or move {path} away and restart: then every stream begins anew"
                ),
            ),
            EventStoreError::Gone => (
                "feeds answer 503",
                "put the file back, or restart: then every stream begins anew".to_owned(),
            ),
            EventStoreError::OfNewerBuild => {
                ("feeds answer 503", "start the newer build again".to_owned())
            }
            EventStoreError::Other(_) => {
                ("feeds answer 503", "see to its disk; feeds come back by themselves".to_owned())
            }
        };
        Some(FeedProblem {
            kind: FeedProblemKind::EventsUnavailable,
            flag: None,
            message: format!("{refused}: the database of events {path}: {trouble}"),
            hint,
        })
    }
}

/// Which bounds are nearly reached, and by whom.
pub fn nearly_full(kept: &KeptBytes, max: u64) -> Vec<FeedProblem> {
    let problem = |flag: Option<String>, message: String| {
        FeedProblem {
        kind: FeedProblemKind::EventsFull,
        flag,
        message,
        hint: "lower `retain` or `keep` of these flags, delete streams, or raise TURNOUT_EVENTS_MAX_BYTES".to_owned(),
    }
    };
    let percent = |bytes: u64, of: u64| bytes.saturating_mul(100) / of.max(1);
    let mut found = Vec::new();
    if percent(kept.all(), max) >= FULL_PERCENT {
        let who: Vec<String> = kept
            .largest(NAMED)
            .into_iter()
            .map(|(flag, bytes)| format!("{flag} {} %", percent(bytes, max)))
            .collect();
        let all = percent(kept.all(), max);
        let message =
            format!("kept events take {all} % of {max} bytes, most of them: {}", who.join(", "));
        found.push(problem(None, message));
    }
    let share = max / super::limits::FLAG_PART;
    for (flag, of) in kept.by_flag().filter(|(_, of)| percent(of.bytes, share) >= FULL_PERCENT) {
        let message = format!(
            "the events of {flag} take {} % of the {share} bytes that one flag may",
            percent(of.bytes, share)
        );
        found.push(problem(Some(flag.to_string()), message));
    }
    found
}

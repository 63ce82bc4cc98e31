//! The counters of deliveries, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// The result of trying to deliver a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// Answered with another status than 2xx.
    Answered,
    TimedOut,
    NotPublic,
    NotReached,
    /// The revision's row is unreadable: nothing was sent.
    Skipped,
}

impl Outcome {
    pub const ALL: [Outcome; 6] = [
        Outcome::Delivered,
        Outcome::Answered,
        Outcome::TimedOut,
        Outcome::NotPublic,
        Outcome::NotReached,
        Outcome::Skipped,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::Answered => "not-accepted",
            Outcome::TimedOut => "timed-out",
            Outcome::NotPublic => "not-public",
            Outcome::NotReached => "not-reached",
            Outcome::Skipped => "skipped",
        }
    }
}

/// How often each outcome came, and how far behind the receiver is.
#[derive(Debug)]
pub struct Deliveries {
    counts: [AtomicU64; Outcome::ALL.len()],
    /// The newest revision that was sent; the largest number until it is known.
    delivered: AtomicU64,
    newest: watch::Receiver<u64>,
}

impl Deliveries {
    pub(super) fn new(newest: watch::Receiver<u64>) -> Deliveries {
        Deliveries { counts: Default::default(), delivered: AtomicU64::new(u64::MAX), newest }
    }

    pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::ALL.iter().map(|outcome| {
            (outcome.as_str(), self.counts[*outcome as usize].load(Ordering::Relaxed))
        })
    }

    /// How many committed revisions were not sent yet.
    pub fn lag(&self) -> u64 {
        self.newest.borrow().saturating_sub(self.delivered.load(Ordering::Relaxed))
    }

    pub(super) fn count(&self, outcome: Outcome) {
        self.counts[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn record_delivered(&self, revision: u64) {
        self.delivered.store(revision, Ordering::Relaxed);
    }
}

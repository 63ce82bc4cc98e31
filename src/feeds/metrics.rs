//! What feeds count.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A histogram with fixed bounds; the last bucket has none.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    counts: Vec<AtomicU64>,
    /// In thousandths.
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, counts, sum: AtomicU64::new(0) }
    }

    pub fn observe(&self, value: f64) {
        let place = self.bounds.iter().position(|bound| value <= *bound);
        self.counts[place.unwrap_or(self.bounds.len())].fetch_add(1, Relaxed);
        self.sum.fetch_add((value * 1000.0) as u64, Relaxed);
    }

    /// The sum, the count, and each bucket's upper bound with its own count.
    pub fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        (self.sum.load(Relaxed) as f64 / 1000.0, count, buckets)
    }
}

/// The counters of feeds.
#[derive(Debug)]
pub struct FeedCounts {
    polls: [AtomicU64; 3],
    pub events_in: AtomicU64,
    pub publish_seconds: Histogram,
    /// Polls of a stream, counted when it ends.
    pub polls_per_build: Histogram,
}

/// What came of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollOutcome {
    New,
    Empty,
    Error,
}

impl PollOutcome {
    pub const ALL: [PollOutcome; 3] = [PollOutcome::New, PollOutcome::Empty, PollOutcome::Error];

    pub fn as_str(self) -> &'static str {
        match self {
            PollOutcome::New => "new",
            PollOutcome::Empty => "empty",
            PollOutcome::Error => "error",
        }
    }
}

impl Default for FeedCounts {
    fn default() -> FeedCounts {
        const SECONDS: &[f64] =
            &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
        const POLLS: &[f64] =
            &[0.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 5_000.0, 20_000.0];
        FeedCounts {
            polls: Default::default(),
            events_in: AtomicU64::new(0),
            publish_seconds: Histogram::new(SECONDS),
            polls_per_build: Histogram::new(POLLS),
        }
    }
}

impl FeedCounts {
    pub fn polled(&self, outcome: PollOutcome) {
        self.polls[outcome as usize].fetch_add(1, Relaxed);
    }

    pub fn polls(&self) -> impl Iterator<Item = (&'static str, u64)> {
        PollOutcome::ALL
            .into_iter()
            .map(|outcome| (outcome.as_str(), self.polls[outcome as usize].load(Relaxed)))
    }
}

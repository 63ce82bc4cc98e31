//! For how long the source of truth has been out of reach.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Counts the seconds since the source was last read; 0 while it can be read.
#[derive(Debug)]
pub struct Staleness {
    start: Instant,
    /// Milliseconds after `start` at which contact was lost, plus one; 0 in contact.
    lost: AtomicU64,
}

impl Default for Staleness {
    fn default() -> Staleness {
        Staleness { start: Instant::now(), lost: AtomicU64::new(0) }
    }
}

impl Staleness {
    /// Notes whether the source could be read just now.
    pub(super) fn note(&self, read: bool) {
        let now = self.start.elapsed().as_millis() as u64 + 1;
        if read {
            self.lost.store(0, Ordering::Relaxed);
        } else {
            let _ = self.lost.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Whole seconds without contact.
    pub fn stale_seconds(&self) -> u64 {
        match self.lost.load(Ordering::Relaxed) {
            0 => 0,
            lost => (self.start.elapsed().as_millis() as u64).saturating_sub(lost - 1) / 1000,
        }
    }
}

//! How far a reading of the flags folder is: a disk or mount may hang, and then it makes no progress.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Whether a folder is being read, and whether the reading makes progress: a disk or mount may
/// hang.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug, Default)]
struct Beats {
    is_reading: AtomicBool,
    /// Rises with every file, and with every piece of a long one.
    count: AtomicU64,
    /// How many readings have ended.
    ended: AtomicU64,
}

impl Pulse {
    /// The progress of the current reading; `None` while none runs.
    pub fn of_reading(&self) -> Option<u64> {
        self.0.is_reading.load(Relaxed).then(|| self.0.count.load(Relaxed))
    }

    pub(super) fn begin(&self) {
        self.0.is_reading.store(true, Relaxed);
    }

    /// How many readings must have ended until one that begins from now on has.
    pub fn after_the_next(&self) -> u64 {
        let running = u64::from(self.0.is_reading.load(Relaxed));
        self.0.ended.load(Relaxed) + running + 1
    }

    /// Whether so many readings have ended.
    pub fn has_ended(&self, readings: u64) -> bool {
        self.0.ended.load(Relaxed) >= readings
    }

    pub(super) fn end(&self) {
        self.0.ended.fetch_add(1, Relaxed);
        self.0.is_reading.store(false, Relaxed);
    }

    /// Notes progress.
    pub(super) fn beat(&self) {
        self.0.count.fetch_add(1, Relaxed);
    }
}

/// Reports progress while it is read.
pub(super) struct Beating<'a, R>(pub R, pub &'a Pulse);

impl<R: Read> Read for Beating<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.beat();
        self.0.read(buffer)
    }
}

//! How many streams are woken before other requests have a turn. Woken all at once, ten thousand
//! streams would delay every question by tens of milliseconds.
//!
//! A stream that is sent an event is work for the system; one whose document is unchanged is next
//! to none. So where most of the last ones had nothing to send, more are woken at once: each batch
//! costs a thread that runs dry and another that is woken.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Batch size while many are sent something. Well below the 61 tasks that tokio runs between two
/// looks at the sockets: else the woken tasks pile up.
const FEW: usize = 32;
/// Batch size while few are.
const MANY: usize = 256;
/// Fewer results than this say nothing about the others.
const ENOUGH: usize = FEW / 4;

/// Counts what became of the streams that were woken, since the start.
#[derive(Debug, Default)]
pub struct WakeBatcher {
    sent: AtomicUsize,
    unchanged: AtomicUsize,
    /// Flags that were evaluated for them.
    decided: AtomicUsize,
}

/// The batches of streams that one change wakes.
pub struct WakeBatches<'a> {
    batcher: &'a WakeBatcher,
    sent: usize,
    unchanged: usize,
    at_once: usize,
}

impl WakeBatcher {
    /// Counts a stream that had something to send.
    pub fn count_event(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    /// Counts a stream whose state was unchanged.
    pub fn unchanged(&self) {
        self.unchanged.fetch_add(1, Relaxed);
    }

    /// Counts flags that were evaluated for a stream.
    pub fn decided(&self, flags: usize) {
        self.decided.fetch_add(flags, Relaxed);
    }

    /// How many flags were ever evaluated for streams.
    pub fn ever_decided(&self) -> usize {
        self.decided.load(Relaxed)
    }

    pub fn batches(&self) -> WakeBatches<'_> {
        WakeBatches {
            batcher: self,
            sent: self.sent.load(Relaxed),
            unchanged: self.unchanged.load(Relaxed),
            at_once: FEW,
        }
    }
}

impl WakeBatches<'_> {
    /// How many streams to wake in the next batch, by what became of those before.
    pub fn next(&mut self) -> usize {
        let (sent, unchanged) =
            (self.batcher.sent.load(Relaxed), self.batcher.unchanged.load(Relaxed));
        let (of_them_told, of_them_unchanged) =
            (sent.wrapping_sub(self.sent), unchanged.wrapping_sub(self.unchanged));
        if of_them_told + of_them_unchanged >= ENOUGH {
            self.at_once = if of_them_told * 3 < of_them_unchanged { MANY } else { FEW };
            (self.sent, self.unchanged) = (sent, unchanged);
        }
        self.at_once
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each batch: how many streams had something to send, and how many had nothing.
    fn check(what: &str, batches: &[(usize, usize)], expected: usize) {
        let batcher = WakeBatcher::default();
        // Counts of an earlier change do not matter.
        batcher.unchanged.fetch_add(1_000, Relaxed);
        let mut change = batcher.batches();
        for (sent, unchanged) in batches {
            change.next();
            batcher.sent.fetch_add(*sent, Relaxed);
            batcher.unchanged.fetch_add(*unchanged, Relaxed);
        }
        assert_eq!(change.next(), expected, "{what}");
    }

    #[test]
    fn more_are_woken_at_once_where_few_are_sent_an_event() {
        check("at first", &[], FEW);
        check("all are sent an event", &[(32, 0), (32, 0)], FEW);
        check("a tenth is sent an event", &[(3, 29)], MANY);
        check("half are sent an event", &[(16, 16)], FEW);
        check("too few have had their turn to tell", &[(0, 7)], FEW);
        check("few were sent an event, and then all", &[(3, 29), (200, 0)], FEW);
    }
}

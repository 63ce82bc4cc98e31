//! When each stream was told, counted from a mark: the moment before something was changed.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::position::Position;

pub struct Told {
    pub mark: u32,
    since: Instant,
    /// Only what is newer counts.
    above: Position,
    waits: Vec<Duration>,
    /// Documents that came to a stream after its first one.
    again: usize,
}

impl Told {
    pub fn since(since: Instant, mark: u32, above: Position) -> Told {
        Told { mark, since, above, waits: Vec::new(), again: 0 }
    }

    /// `told_after` is the stream's own memory of marks.
    pub fn note(&mut self, at: Instant, position: Position, told_after: &mut u32) {
        if position <= self.above || at < self.since {
            return;
        }
        if *told_after == self.mark {
            self.again += 1;
        } else {
            self.waits.push(at - self.since);
        }
        *told_after = self.mark;
    }

    pub fn count(&self) -> usize {
        self.waits.len()
    }

    pub fn report(&self) -> Json {
        let mut sorted = self.waits.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            sorted.get(sorted.len().saturating_sub(1) * percent / 100).map(milliseconds)
        };
        json!({ "told": sorted.len(), "again": self.again, "firstMs": at(0), "p50Ms": at(50), "p90Ms": at(90), "p99Ms": at(99), "lastMs": at(100) })
    }
}

pub fn milliseconds(time: &Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

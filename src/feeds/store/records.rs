//! What a database of events is asked for and says.

use std::collections::HashMap;

use crate::feeds::decide::StreamRecord;
use crate::feeds::retention::{Retention, RetentionRecord};
use crate::feeds::shares::KeptBytes;
use crate::flag::FlagKey;

/// What a database says when it is opened.
#[derive(Debug, Default)]
pub struct Opened {
    pub kept: KeptBytes,
    pub retentions: HashMap<FlagKey, RetentionRecord>,
    /// How many streams have a new epoch, as their heads had fallen.
    pub renewed: u64,
}

/// What a database of events holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTotals {
    pub streams: u64,
    /// Those that are kept.
    pub events: u64,
}

/// What retention removed of a stream.
#[derive(Debug)]
pub struct Removed {
    pub record: StreamRecord,
    pub released: u64,
    /// Whether there may be more to remove.
    pub more: bool,
}

/// What retention has to do with the streams of a flag.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    pub in_force: Retention,
    pub now_ms: i64,
}

impl Sweep {
    /// Events, and streams that ended, from before this time go.
    pub fn too_old_ms(&self) -> i64 {
        self.now_ms.saturating_sub(self.in_force.retain_ms as i64)
    }

    /// Whether a stream ended long ago and nothing of it is left.
    pub fn finds_over(&self, record: &StreamRecord) -> bool {
        record.ended
            && record.oldest_at_ms.is_none()
            && record.changed_at_ms < self.too_old_ms()
            && record.forgotten_after == record.kept_after
    }
}

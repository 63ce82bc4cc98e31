//! What the writer knows of the database: what is kept, and for how long.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use super::decide::StreamRecord;
use super::name::StreamKey;
use super::retention::{Retention, RetentionRecord};
use super::shared::Shared;
use super::shares::KeptBytes;
use super::store::Sweep;
use crate::flag::FlagKey;

#[derive(Debug, Default)]
pub struct WriterState {
    pub kept: KeptBytes,
    pub retentions: HashMap<FlagKey, RetentionRecord>,
}

impl WriterState {
    /// A stream is gone from the database.
    pub fn forget(&mut self, shared: &Shared, key: &StreamKey, record: &StreamRecord) {
        shared.warm.remove(key);
        self.kept.doom_stream(key.flag(), record.bytes);
        self.count_kept(shared);
    }

    pub fn count_kept(&self, shared: &Shared) {
        shared.kept_bytes.store(self.kept.all(), Relaxed);
    }

    /// What retention has to do with the streams of a flag just now.
    pub fn sweep(&self, shared: &Shared, flag: &FlagKey) -> Sweep {
        Sweep { in_force: self.in_force(shared, flag), now_ms: shared.clock.wall_ms() }
    }

    /// What is in force of a flag. One that is no longer known keeps what it had.
    pub fn in_force(&self, shared: &Shared, flag: &FlagKey) -> Retention {
        let recorded = self.retentions.get(flag).map(|record| record.in_force());
        recorded.or_else(|| (shared.retention)(flag)).unwrap_or(Retention::DEFAULT)
    }
}

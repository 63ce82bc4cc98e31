//! A flag and a segment of the catalog: the record and what it means.

use std::sync::Arc;

use super::blob::ContentHash;
use super::record::{FlagRecord, SegmentRecord};
use crate::flag::{Definition, Segment, Split, Strategy};

/// A flag's record and its parsed form.
#[derive(Clone, Debug, Default)]
pub struct FlagEntry {
    pub record: FlagRecord,
    /// The revision of its last change.
    pub changed_at: u64,
    pub definition: Option<Arc<Definition>>,
    pub pinned: Option<Arc<Definition>>,
}

/// A segment's record and its parsed form.
#[derive(Clone, Debug, Default)]
pub struct SegmentEntry {
    pub record: SegmentRecord,
    pub changed_at: u64,
    pub form: Option<Arc<Segment>>,
}

impl FlagEntry {
    /// The definition in force: the pinned one, or the latest one.
    pub fn in_force(&self) -> Option<&Arc<Definition>> {
        match self.record.pin {
            Some(_) => self.pinned.as_ref(),
            None => self.definition.as_ref(),
        }
    }

    /// The split in force: an operator's, or the definition's.
    pub fn split(&self) -> Option<Split> {
        let held = self.record.split.as_ref().map(|held| held.split);
        held.or_else(|| self.in_force().and_then(|definition| definition.rollout))
    }

    /// The strategy of all users while the flag is stopped or off.
    pub fn when_stopped(&self) -> Strategy {
        self.in_force().map_or(Strategy::Polling, |definition| definition.when_stopped.into())
    }

    /// The same flag with another record that refers to no new blob.
    pub fn with(&self, record: FlagRecord) -> FlagEntry {
        let mut entry = FlagEntry { changed_at: self.changed_at, ..FlagEntry::default() };
        entry.definition = record.definition.and_then(|id| self.meaning(id));
        entry.pinned = record.pin.as_ref().and_then(|pin| self.meaning(pin.definition));
        FlagEntry { record, ..entry }
    }

    pub(super) fn meaning(&self, id: ContentHash) -> Option<Arc<Definition>> {
        match &self.record.pin {
            _ if self.record.definition == Some(id) => self.definition.clone(),
            Some(pin) if pin.definition == id => self.pinned.clone(),
            _ => None,
        }
    }
}

//! What is kept beside the database, and what it said at the start: the witnesses of the newest
//! state.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::lock_order::{Lock, Rank};
use super::recovery::{Copies, CopyState, Foreign, JournalWitness};
use super::{Inner, Problem};
use crate::data_dir::LastGoodFile;
use crate::ledger::{KnownHead, Unknown};

/// Owns the last good state, and what is known of the newest one.
#[derive(Debug)]
pub(super) struct Witnesses {
    /// The newest state that this data folder is known to have had.
    pub known: Lock<Option<KnownHead>>,
    /// What the copies beside the database said at the start; `None` once a database was adopted,
    /// as memory says it from then on.
    pub copies: Lock<Option<Copies>>,
    pub last_good: Lock<LastGoodFile>,
    /// In which of the data folders held one after another a database was adopted last.
    pub adopted_in: AtomicU64,
    /// Whether pages of the database were found to be damaged while it was served.
    pub is_unsound: AtomicBool,
    /// What a newer build wrote into the last good state beside what this one knows.
    pub kept_beside: Unknown,
    /// What was wrong with the files of the data folder at the start, as far as that is told on.
    pub found_at_start: Lock<Vec<Problem>>,
}

impl Witnesses {
    pub fn new(copies: Copies, last_good: LastGoodFile, kept_beside: Unknown) -> Witnesses {
        Witnesses {
            known: Lock::new(Rank::KnownHead, copies.known().cloned()),
            copies: Lock::new(Rank::Leaf, Some(copies)),
            last_good: Lock::new(Rank::LastGood, last_good),
            adopted_in: AtomicU64::new(0),
            is_unsound: AtomicBool::new(false),
            kept_beside,
            found_at_start: Lock::default(),
        }
    }
}

impl Inner {
    /// Files of another history than database and journal are witnesses of nothing, and are not
    /// kept as the state before the last one.
    pub(super) fn distrust_foreign(&self, foreign: Foreign, copies: &Copies) {
        *self.witnesses.known.lock() = copies.known().cloned();
        *self.witnesses.copies.lock() = Some(copies.clone());
        if foreign.last_good {
            self.store.forget_kept();
            // Where it cannot be kept aside, it stays where it is all the same until another takes
            // its place.
            let _ = self.witnesses.last_good.lock().set_aside();
        }
    }

    /// The witnesses of the newest state beside the database: what the copies said at the start,
    /// and memory once a database was adopted.
    pub(super) fn copies(&self) -> Copies {
        if let Some(copies) = self.witnesses.copies.lock().clone() {
            return copies;
        }
        let head = self.state().book.head;
        let memory = self.store.status().epoch.map(|epoch| KnownHead { epoch, head });
        Copies {
            last_good: memory.map_or(CopyState::Absent, CopyState::Good),
            earlier: CopyState::Absent,
            journal: JournalWitness::default(),
            is_anything_ours: true,
        }
    }
}

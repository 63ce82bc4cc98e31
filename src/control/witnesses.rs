//! The copies beside the database, and what they held at the start: the witnesses of the newest
//! state.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::lock_order::{Lock, Rank};
use super::recovery::{Copies, CopyState, Foreign, JournalWitness};
use super::{Inner, Problem};
use crate::data_dir::LastGoodFile;
use crate::ledger::{KnownHead, Unknown};

/// Owns the last good state, and what is known about the newest one.
#[derive(Debug)]
pub(super) struct Witnesses {
    /// The newest state that this data folder is known to have had.
    pub known: Lock<Option<KnownHead>>,
    /// What the copies beside the database held at the start; `None` once a database was adopted,
    /// as memory has it from then on.
    pub copies: Lock<Option<Copies>>,
    pub last_good: Lock<LastGoodFile>,
    /// Which of the data folders locked so far was the present one when a database was last
    /// adopted.
    pub adopted_in: AtomicU64,
    /// Whether damaged pages were found in the database while it was in use.
    pub is_unsound: AtomicBool,
    /// What a newer build wrote into the last good state that this build does not know.
    pub kept_beside: Unknown,
    /// What was wrong with the files of the data folder at the start, as far as it is still
    /// reported.
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
    /// Files of another history than the database and the journal are not witnesses, and are not
    /// kept as the state before the last one.
    pub(super) fn distrust_foreign(&self, foreign: Foreign, copies: &Copies) {
        *self.witnesses.known.lock() = copies.known().cloned();
        *self.witnesses.copies.lock() = Some(copies.clone());
        if foreign.last_good {
            self.store.forget_saved_head();
            // Where it cannot be moved aside, it stays where it is until another takes its place.
            let _ = self.witnesses.last_good.lock().set_aside();
        }
    }

    /// The witnesses of the newest state beside the database: the copies at the start, and memory
    /// once a database was adopted.
    pub(super) fn copies(&self) -> Copies {
        if let Some(copies) = self.witnesses.copies.lock().clone() {
            return copies;
        }
        let head = self.state().catalog.head;
        let memory = self.store.status().epoch.map(|epoch| KnownHead { epoch, head });
        Copies {
            last_good: memory.map_or(CopyState::Absent, CopyState::Good),
            earlier: CopyState::Absent,
            journal: JournalWitness::default(),
            is_anything_ours: true,
        }
    }
}

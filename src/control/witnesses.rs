//! The copies beside the database, and what they held at the start: the witnesses of the newest
//! state.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::lock_order::{Lock, Rank};
use super::problems::Problem;
use super::recovery::Copies;
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

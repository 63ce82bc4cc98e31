//! What is known from the entries of a journal that read.

use super::header::Header;
use crate::ledger::{Doubt, KnownHead, PendingEntry};

/// What a journal holds.
#[derive(Clone, Debug, Default)]
pub struct JournalEntries {
    /// The entries that are not known to be committed, in their order.
    pub entries: Vec<PendingEntry>,
    /// Flags and credentials whose entries do not read.
    pub doubt: Doubt,
    pub known: Option<KnownHead>,
    /// Whether a newer build wrote one of the entries.
    pub of_newer_build: bool,
    /// Whether part of the doubt is about damage that was found just now.
    pub(super) is_damaged: bool,
    pub(super) last: u64,
    pub(super) used: usize,
    /// Where what was ever written behind the entries ends.
    pub(super) dirty: usize,
    pub(super) header: Header,
}

impl JournalEntries {
    /// The same, with doubt about everything.
    pub fn in_doubt(self) -> JournalEntries {
        JournalEntries { doubt: Doubt::ALL, is_damaged: true, ..self }
    }

    /// Whether it was made just now, before anything was known: nothing was ever written to it.
    pub fn is_fresh(&self) -> bool {
        self.known.is_none() && self.entries.is_empty() && self.doubt.is_none() && self.last == 0
    }
}

//! What an idempotency key, or the name of a pending entry, stands for in the database.

use crate::ledger::{ContentHash, PendingEntry};

/// A revision that was made under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The hash of who asked for what.
    pub request: String,
    pub revision: u64,
    /// When it was first live; `None` where the revision is not there any more.
    pub effective_at_ms: Option<i64>,
}

impl KnownKey {
    /// Whether the same was asked for by the same caller.
    pub fn is_of(&self, request: ContentHash) -> bool {
        self.request == request.to_string()
    }

    /// Whether this very entry was committed. The same request may have been made before, and taken
    /// back since: then the entry is another one, that came into force later. In doubt it is, and
    /// narrows once more.
    pub fn is_entry(&self, pending: &PendingEntry) -> bool {
        self.is_of(pending.stands_for())
            && self.effective_at_ms.is_none_or(|at_ms| at_ms == pending.at_ms)
    }
}

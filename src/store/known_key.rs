//! What the database knows about an idempotency key, or about the name of a pending entry.

use crate::ledger::{ContentHash, PendingEntry};

/// A revision that was made under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The hash of the caller and the request.
    pub request: String,
    pub revision: u64,
    /// When the revision was first live; `None` if it no longer exists.
    pub effective_at_ms: Option<i64>,
}

impl KnownKey {
    /// Whether the same caller made the same request.
    pub fn is_of(&self, request: ContentHash) -> bool {
        self.request == request.to_string()
    }

    /// Whether exactly this entry was committed. The same request may have been made before, and
    /// taken back since: then this entry is another one, which came into force later. In doubt it
    /// is another one, and narrows once more.
    pub fn is_entry(&self, pending: &PendingEntry) -> bool {
        self.is_of(pending.stands_for())
            && self.effective_at_ms.is_none_or(|at_ms| at_ms == pending.at_ms)
    }
}

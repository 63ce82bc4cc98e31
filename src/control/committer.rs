//! Who commits, what is committed, and why it may fail.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::ledger::{Actor, Change, ChangeSource, ContentCache, ContentHash, Credential};
use crate::store::{Store, StoreError};

/// The longest wait for a read from the database.
pub(super) const READ_TIMEOUT: Duration = Duration::from_millis(700);
/// Why something is not done whose answer did not come by then.
pub(super) const LATE: &str = "it does not answer in time";
/// How often a change is decided again after another writer was faster.
pub(super) const MAX_TRIES: usize = 16;

/// State that only the holder of the commit lock needs.
#[derive(Debug, Default)]
pub(super) struct Committer {
    /// The database that was lost last: its files must be released before they are opened again.
    pub lost: Option<Arc<Store>>,
    /// A look at the lost database that did not end in time: while it hangs, no other is begun.
    pub late_look: Option<AbortHandle>,
    /// Credentials that the database has in the form of older builds and not yet in a revision;
    /// `None` once they are all brought over.
    pub old_tokens: Option<Vec<Credential>>,
}

/// A revision before it has a number.
#[derive(Debug)]
pub(super) struct Proposal {
    pub actor: Actor,
    pub origin: ChangeSource,
    pub reason: Option<String>,
    pub effective_at_ms: Option<i64>,
    pub key: Option<(String, ContentHash)>,
    pub changes: Vec<Change>,
    pub content: ContentCache,
}

/// Why a proposal did not become a revision.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error("the database is out of reach: {0}")]
    Down(String),
    #[error("the disk is full")]
    NoSpace,
    #[error("the database did not say whether it is saved")]
    Unknown,
    /// Decide again: what the other program wrote is live.
    #[error("another program wrote to the database at the same moment")]
    Conflict,
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> CommitError {
        CommitError::Down(error.chain())
    }
}

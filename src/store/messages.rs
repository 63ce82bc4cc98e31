//! What is asked of a database, what it answers, and within which bounds.

use std::fmt;

use crate::ledger::{Blobs, ContentHash, Head, KnownHead, Revision};

/// The most revisions one page of the history holds.
pub const MAX_PAGE: u32 = 1000;

/// The most bytes of blobs that a commit writes by itself. More are staged before it.
pub const COMMIT_BLOB_BYTES: usize = 1024 * 1024;
/// The slowest disk on which everything within the limits is saved.
pub const SLOWEST_DISK_BYTES_A_SECOND: u64 = 4_000_000;

/// A revision to be committed.
#[derive(Debug)]
pub struct Commit<'a> {
    pub revision: &'a Revision,
    /// The head it was made for: the commit fails if the database has another one.
    pub expected_head: &'a Head,
    /// The blobs that its records refer to and the database may lack. If they exceed
    /// [`COMMIT_BLOB_BYTES`], they were staged.
    pub blobs: &'a Blobs,
    /// What its idempotency key stands for.
    pub request: Option<ContentHash>,
}

/// Which revisions to show, newest first.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// Only revisions that changed this flag.
    pub flag: Option<String>,
    /// Only revisions before this one.
    pub before: Option<u64>,
    /// Only revisions after this one.
    pub after: Option<u64>,
    /// At most [`MAX_PAGE`].
    pub limit: u32,
    /// With all changes of each revision; otherwise the first hundred, and the changes of `flag`.
    pub whole: bool,
}

/// A stored revision, with the hash in its row.
#[derive(Clone, Debug)]
pub struct StoredRevision {
    pub revision: Revision,
    pub hash: ContentHash,
    /// How many more changes it has than were read.
    pub more_changes: u64,
}

/// A revision with everything needed to take it over.
#[derive(Clone)]
pub struct StoredWithBlobs {
    pub revision: Revision,
    /// The head after it.
    pub head: Head,
    /// What its idempotency key stands for.
    pub request: Option<String>,
    /// The blobs that its changes name, as far as they exist and match their hashes. Blobs that
    /// were cached, or came with an earlier revision, share their bytes and were not read again.
    pub blobs: Blobs,
}

/// Prints counts, never content: blobs name users.
impl fmt::Debug for StoredWithBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredWithBlobs({:?}, {} blobs)", self.head, self.blobs.len())
    }
}

/// What a database says about itself before it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub known: KnownHead,
    /// Which of the given states are part of its history, in their order.
    pub holds: Vec<bool>,
    /// Why its files are not of one moment.
    pub fault: Option<String>,
    /// Whether it was written by a build from before formats existed.
    pub is_of_format_before: bool,
}

/// What this node knows about the database from other sources: only this reveals a history that was
/// rewritten as a whole.
#[derive(Clone, Debug, Default)]
pub struct ExpectedHistory {
    /// The database's own name.
    pub epoch: Option<String>,
    pub head: Option<Head>,
}

/// The result of checking every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many revisions were read.
    pub revisions: u64,
    /// The faults found, oldest first; at most [`MAX_FAULTS`].
    pub faults: Vec<String>,
}

/// The most faults that a report lists.
pub const MAX_FAULTS: usize = 20;

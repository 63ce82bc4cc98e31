//! The fast path of narrowing changes: which of them are live before they are committed, and who
//! waits for their commits.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::lock_order::{AsyncLock, AsyncLocked, Lock, Rank};
use crate::data_dir::Journal;
use crate::ledger::PendingEntry;

/// Owns the changes that are live before they are committed.
#[derive(Debug)]
pub(super) struct FastPath {
    /// One narrowing change at a time.
    lock: AsyncLock<()>,
    pub journal: AsyncLock<Option<Journal>>,
    /// Whether a change did not wait for its write to the journal, and none waits for it until all is
    /// written; see `late_journal`.
    pub is_journal_late: AtomicBool,
    /// Whether a write to the journal takes longer than anyone may wait.
    pub is_journal_hung: AtomicBool,
    /// How many bytes of the journal were in use when it was last free; see [`FastPath::journal_used`].
    used: Lock<Option<usize>>,
    /// The names of entries that a start would find in the journal.
    pub journaled: Lock<HashSet<String>>,
    /// The names of entries that are being written to it: a start may find them.
    writing: Arc<Lock<HashSet<String>>>,
    /// Entries that are committed and may still be in the journal.
    pub committed: Lock<BTreeSet<String>>,
    /// The newest revision that was made from an entry.
    pub newest: AtomicU64,
    /// Pending entries named here and never sent to a database, so that no database can know them.
    pub never_sent: Lock<HashSet<String>>,
    /// The waiters for commits, by the name of the pending entry.
    pub waiters: Lock<HashMap<String, oneshot::Sender<u64>>>,
}

/// The lock of the fast path, of a change that waits since a moment.
pub(super) struct OnFastPath {
    pub since: Instant,
    _lock: AsyncLocked<()>,
}

/// A narrowing change that is live.
pub(super) struct Pushed {
    pub id: String,
    /// Receives the revision of the commit.
    pub committed: oneshot::Receiver<u64>,
    pub is_journaled: bool,
}

/// Entries that are being written: until this is dropped, a start may find them.
pub(super) struct Writing {
    all: Arc<Lock<HashSet<String>>>,
    ids: Vec<String>,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.all.lock().retain(|id| !self.ids.contains(id));
    }
}

impl Default for FastPath {
    fn default() -> FastPath {
        FastPath {
            lock: AsyncLock::new(Rank::FastPath, ()),
            journal: AsyncLock::new(Rank::Journal, None),
            is_journal_late: AtomicBool::new(false),
            is_journal_hung: AtomicBool::new(false),
            used: Lock::default(),
            journaled: Lock::default(),
            writing: Arc::default(),
            committed: Lock::default(),
            newest: AtomicU64::new(0),
            never_sent: Lock::default(),
            waiters: Lock::default(),
        }
    }
}

impl FastPath {
    /// Waits until no other change is on the fast path.
    pub async fn lock(&self) -> OnFastPath {
        self.lock_since(Instant::now()).await
    }

    /// The same, for a change that came at a moment and may have waited for something else before.
    pub async fn lock_since(&self, since: Instant) -> OnFastPath {
        OnFastPath { since, _lock: self.lock.lock().await }
    }

    pub fn try_lock(&self) -> Option<AsyncLocked<()>> {
        self.lock.try_lock()
    }

    /// How many bytes of the journal pending changes take; `None` where there is no journal. While the
    /// journal is being written, which may hang with the disk, it is the number before that.
    pub fn journal_used(&self) -> Option<usize> {
        if let Some(journal) = self.journal.try_lock() {
            self.note_used(&journal);
        }
        *self.used.lock()
    }

    /// Keeps how much of the journal is in use, for those who ask while it is being written.
    pub fn note_used(&self, journal: &Option<Journal>) {
        *self.used.lock() = journal.as_ref().map(Journal::used);
    }

    /// Notes that entries are written from now on.
    pub fn write<'a>(&self, entries: impl IntoIterator<Item = &'a PendingEntry>) -> Writing {
        let ids: Vec<String> = entries.into_iter().map(|entry| entry.id.clone()).collect();
        self.writing.lock().extend(ids.iter().cloned());
        Writing { all: self.writing.clone(), ids }
    }

    /// Whether a start may find an entry of this name in the journal.
    pub fn may_be_journaled(&self, id: &str) -> bool {
        // In this order: what is written leaves the first last.
        self.writing.lock().contains(id) || self.journaled.lock().contains(id)
    }

    pub fn newest_replayed(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    pub fn take_never_sent(&self, id: &str) -> bool {
        self.never_sent.lock().remove(id)
    }

    /// Notes that an entry is committed, and notifies its waiter and the waiters of the entries
    /// that it superseded.
    pub fn note_committed(&self, entry: &PendingEntry, revision: u64) {
        self.newest.fetch_max(revision, Ordering::Relaxed);
        self.committed.lock().insert(entry.id.clone());
        let superseded = entry.superseded.iter().map(|superseded| &superseded.id);
        superseded.chain([&entry.id]).for_each(|id| self.answer_waiter(id, revision));
    }

    /// Sends the waiter of this entry the revision that it became.
    pub fn answer_waiter(&self, id: &str, revision: u64) {
        let waiter = self.waiters.lock().remove(id);
        if let Some(waiter) = waiter {
            let _ = waiter.send(revision);
        }
    }

    /// Drops the waiter of this entry.
    pub fn dismiss_waiter(&self, id: &str) {
        self.waiters.lock().remove(id);
    }

    /// Drops all waiters: they learn that there is no commit yet.
    pub fn dismiss_waiters(&self) {
        self.waiters.lock().clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ledger::Doubt;

    #[tokio::test]
    async fn what_the_journal_has_in_use_is_known_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let fast_path = FastPath::default();
        assert_eq!(fast_path.journal_used(), None);
        let made = Journal::make(&folder.path().join("journal"), None, &[], &Doubt::NONE).unwrap();
        *fast_path.journal.lock().await = Some(made);
        assert_eq!(fast_path.journal_used(), Some(0));
        let writing = fast_path.journal.lock().await.handed_over();
        assert_eq!(fast_path.journal_used(), Some(0));
        drop(writing);
    }
}

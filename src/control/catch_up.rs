//! Catches up with what other programs committed to the same database. That is an everyday event,
//! and does not mean that the database is lost.

use std::sync::atomic::Ordering;

use super::Inner;
use super::committer::{CommitError, Committer, LATE, READ_TIMEOUT};
use crate::ledger::{ContentCache, Head, PendingEntry, Record, Subject};
use crate::store::{Store, StoreError, StoredWithBlobs};

/// The most revisions that are read in one step.
const MAX_REVISIONS_PER_READ: u32 = 64;

/// What catching up found.
#[derive(Debug, Default)]
pub(super) struct CaughtUp {
    /// The heads of the revisions, oldest first.
    pub heads: Vec<Head>,
    /// The names of this node's pending entries among them.
    pub entries: Vec<String>,
}

impl Inner {
    /// Makes every revision live that is in the database and not known here, oldest first, and
    /// returns their heads.
    ///
    /// A database that does not continue the history known here counts as lost: maintenance opens
    /// it again and decides what it is.
    pub(super) async fn catch_up(
        &self,
        committer: &mut Committer,
        store: &Store,
    ) -> Result<CaughtUp, CommitError> {
        let mut caught_up = CaughtUp::default();
        loop {
            let (head, cached) = {
                let state = self.state();
                (state.catalog.head, state.catalog.blobs().clone())
            };
            // A large revision comes whole, however long that takes.
            let reading = store.revisions_after(&head, MAX_REVISIONS_PER_READ, &cached);
            let page = match store.unless_silent(READ_TIMEOUT, reading).await {
                Some(Ok(page)) => page,
                Some(Err(error)) => return Err(self.cannot_catch_up(committer, error)),
                None => {
                    self.lose(committer, LATE);
                    return Err(CommitError::Unknown);
                }
            };
            if page.is_empty() {
                return Ok(caught_up);
            }
            for committed in page {
                self.take_in_foreign(committed, &mut caught_up);
            }
        }
    }

    fn cannot_catch_up(&self, committer: &mut Committer, error: StoreError) -> CommitError {
        let why = error.chain();
        self.lose(committer, &why);
        CommitError::Down(why)
    }

    fn take_in_foreign(&self, committed: StoredWithBlobs, caught_up: &mut CaughtUp) {
        let StoredWithBlobs { revision, head, request, blobs } = committed;
        let mut content = ContentCache { blobs, ..ContentCache::default() };
        for change in &revision.changes {
            // A definition that this build cannot read has no good form: its flag answers `polling`
            // with `error`.
            let _ = match (&change.subject, change.after.as_ref()) {
                (Subject::Flag(key), Some(Record::Flag(record))) => content.read_flag(key, record),
                (Subject::Segment(key), Some(Record::Segment(record))) => {
                    content.read_segment(key, record)
                }
                _ => Ok(()),
            };
        }
        let named = revision
            .idempotency_key
            .as_ref()
            .and_then(|id| self.state().pending().named(id).cloned());
        // The other program may have used the same name for something else.
        let is_it = |pending: &PendingEntry| {
            Some(&pending.id) == revision.idempotency_key.as_ref()
                && request == Some(pending.stands_for().to_string())
        };
        let entry = named.filter(is_it);
        self.apply_revision(
            head,
            &revision,
            &content,
            entry.as_ref().map(|pending| pending.id.as_str()),
        );
        if let Some(pending) = entry {
            self.fast_path.note_committed(&pending, head.revision);
            caught_up.entries.push(pending.id);
        }
        if self.unsettled.has_unknown() {
            // It may be a save that was given up, and that its file has since taken back.
            self.compare_files.store(true, Ordering::Relaxed);
        }
        caught_up.heads.push(head);
    }
}

//! A journal that did not answer in time. Nothing waits for it again until it does: narrowing changes
//! are live in memory at once. Then it gets the entries that were not written, oldest first.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::task::spawn_blocking;

use super::Inner;
use super::lock_order::{AsyncLock, AsyncLocked};
use crate::data_dir::Journal;
use crate::ledger::PendingEntry;

impl Inner {
    /// Whether an earlier write is still awaited. What is journaled before it is done would stand
    /// before entries that are older.
    pub(super) fn is_journal_late(&self) -> bool {
        self.fast_path.is_journal_late.load(Ordering::Relaxed)
    }

    /// Notes that the journal did not answer in time, and follows it until it does.
    pub(super) fn follow_late_journal(self: &Arc<Self>) {
        if !self.fast_path.is_journal_late.swap(true, Ordering::Relaxed) {
            tokio::spawn(follow(Arc::downgrade(self), self.fast_path.journal.clone()));
        }
    }

    /// Journals what is pending and was not written in time. Returns whether the journal took it.
    async fn journal_left_out(self: &Arc<Self>, mut journal: AsyncLocked<Option<Journal>>) -> bool {
        let inner = self.clone();
        let write = move || inner.write_left_out(&mut journal);
        let written = spawn_blocking(write).await.unwrap_or_else(|error| Err(error.to_string()));
        let is_written = written.is_ok();
        self.report_journal(written.err());
        is_written
    }

    /// Adds to the journal what is pending and not in it, oldest first.
    pub(super) fn write_left_out(
        &self,
        journal: &mut AsyncLocked<Option<Journal>>,
    ) -> Result<(), String> {
        let left_out = self.left_out_of_journal();
        left_out.iter().try_for_each(|entry| self.write_to_journal(journal, Some(entry)))
    }

    fn left_out_of_journal(&self) -> Vec<PendingEntry> {
        let state = self.state();
        let journaled = self.fast_path.journaled.lock();
        state.pending().iter().filter(|entry| !journaled.contains(&entry.id)).cloned().collect()
    }
}

/// Waits for the write that hangs, which has the lock of the journal.
async fn follow(inner: Weak<Inner>, journal: AsyncLock<Option<Journal>>) {
    loop {
        let answers = journal.lock().await.handed_over();
        let Some(inner) = inner.upgrade() else { return };
        let is_written = inner.journal_left_out(answers).await;
        // Under this lock, no entry is on its way past the journal and not pending yet.
        let _fast_path = inner.fast_path.lock().await;
        if !is_written || inner.left_out_of_journal().is_empty() {
            inner.fast_path.is_journal_late.store(false, Ordering::Relaxed);
            return;
        }
    }
}

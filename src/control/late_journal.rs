//! A journal for which a change did not wait as long as its write takes. No change waits for it then:
//! narrowing changes are live in memory at once. The journal gets them oldest first, several together
//! where that may be, until none is left.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Inner;
use super::committer::LATE;
use super::fast_path::Writing;
use super::journal::JOURNAL_TIMEOUT;
use super::lock_order::{AsyncLock, AsyncLocked};
use crate::data_dir::Journal;
use crate::ledger::PendingEntry;

/// The most entries that are added one by one. More are written together with all that is pending,
/// which takes as many syncs whatever their number is.
const MOST_ONE_BY_ONE: usize = 2;

impl Inner {
    /// Whether entries are to be journaled that are live already. What is journaled before them
    /// would stand before entries that are older.
    pub(super) fn is_journal_late(&self) -> bool {
        self.fast_path.is_journal_late.load(Ordering::Relaxed)
    }

    /// Whether a write takes so long that no change waits for it.
    pub(super) fn is_journal_hung(&self) -> bool {
        self.fast_path.is_journal_hung.load(Ordering::Relaxed)
    }

    /// Notes that a change does not wait for the journal, and follows it until it has all of them.
    pub(super) fn follow_late_journal(self: &Arc<Self>) {
        if !self.fast_path.is_journal_late.swap(true, Ordering::Relaxed) {
            tokio::spawn(follow(Arc::downgrade(self), self.fast_path.journal.clone()));
        }
    }

    /// Journals the oldest of what is pending and was not written, or all of it. Returns whether the
    /// journal took it.
    async fn journal_left_out(self: &Arc<Self>, mut journal: AsyncLocked<Option<Journal>>) -> bool {
        let inner = self.clone();
        let write = move || inner.write_some_left_out(&mut journal);
        let written = spawn_blocking(write).await.unwrap_or_else(|error| Err(error.to_string()));
        let is_written = written.is_ok();
        self.report_journal(written.err());
        is_written
    }

    /// Adds to the journal what is pending and not in it, oldest first.
    pub(super) fn write_left_out(
        self: &Arc<Self>,
        journal: &mut AsyncLocked<Option<Journal>>,
    ) -> Result<(), String> {
        let (left_out, _writing) = self.take_left_out(usize::MAX);
        left_out.iter().try_for_each(|entry| self.write_to_journal(journal, Some(entry)))
    }

    /// Adds the oldest entry that is not in the journal, or all of them at once where they are many.
    fn write_some_left_out(
        self: &Arc<Self>,
        journal: &mut AsyncLocked<Option<Journal>>,
    ) -> Result<(), String> {
        if self.left_out_of_journal() > MOST_ONE_BY_ONE && self.journal_all_pending(journal) {
            return Ok(());
        }
        let (oldest, _writing) = self.take_left_out(1);
        oldest.first().map_or(Ok(()), |entry| self.write_to_journal(journal, Some(entry)))
    }

    /// How many pending entries are not in the journal.
    fn left_out_of_journal(&self) -> usize {
        let state = self.state();
        let journaled = self.fast_path.journaled.lock();
        state.pending().iter().filter(|entry| !journaled.contains(&entry.id)).count()
    }

    /// The oldest pending entries that are not in the journal, to be written to it.
    fn take_left_out(self: &Arc<Self>, most: usize) -> (Vec<PendingEntry>, Writing) {
        let state = self.state();
        let left_out: Vec<_> = {
            let journaled = self.fast_path.journaled.lock();
            let pending = state.pending().iter();
            pending.filter(|entry| !journaled.contains(&entry.id)).take(most).cloned().collect()
        };
        // Under the lock of the state: none of them is superseded in memory alone from here on.
        let writing = self.fast_path.write(&left_out);
        (left_out, writing)
    }

    /// Makes the journal anew with all that is pending. What is committed leaves it by that, so it is
    /// not done before the last good state has all of it. Returns whether the journal has all.
    fn journal_all_pending(self: &Arc<Self>, journal: &mut AsyncLocked<Option<Journal>>) -> bool {
        let Some(open) = journal.as_mut() else { return false };
        let (pending, doubt, _writing) = {
            let state = self.state();
            let kept = self.store.status().saved_head.map_or(0, |saved_head| saved_head.revision);
            if state.catalog.head.revision > kept {
                return false;
            }
            let pending = state.pending().to_vec();
            let writing = self.fast_path.write(&pending);
            (pending, state.doubt().clone(), writing)
        };
        if self.hold_folder().is_err() || open.compact(&pending, &doubt).is_err() {
            return false;
        }
        let (left_out, taken): (Vec<_>, Vec<_>) =
            pending.into_iter().map(|entry| entry.id).partition(|id| open.leaves_out(id));
        *self.fast_path.journaled.lock() = taken.into_iter().collect();
        left_out.is_empty()
    }

    fn note_hung(&self, is_hung: bool) {
        self.fast_path.is_journal_hung.store(is_hung, Ordering::Relaxed);
        if is_hung {
            self.report_journal(Some(LATE.to_owned()));
        }
    }
}

/// Waits for the write that is under way, which has the lock of the journal, and writes what was left
/// out.
async fn follow(inner: Weak<Inner>, journal: AsyncLock<Option<Journal>>) {
    loop {
        let free = watched(&inner, journal.lock()).await.handed_over();
        let Some(strong) = inner.upgrade() else { return };
        let is_written = watched(&inner, strong.journal_left_out(free)).await;
        if is_written && strong.left_out_of_journal() > 0 {
            continue;
        }
        // Under this lock, no entry is on its way past the journal and not pending yet.
        let _fast_path = strong.fast_path.lock().await;
        if !is_written || strong.left_out_of_journal() == 0 {
            strong.fast_path.is_journal_late.store(false, Ordering::Relaxed);
            return;
        }
    }
}

/// Waits for something that the journal does, and tells where it hangs.
async fn watched<T>(inner: &Weak<Inner>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(JOURNAL_TIMEOUT, &mut work).await {
        return done;
    }
    let tell = |is_hung| inner.upgrade().into_iter().for_each(|inner| inner.note_hung(is_hung));
    tell(true);
    let done = work.await;
    tell(false);
    done
}

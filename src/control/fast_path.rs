//! Fast path for narrowing changes: the journal append and the commit run concurrently, and the
//! change goes live when the first of them is durable.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::lock_order::{AsyncLock, AsyncLocked, Lock, Rank};
use super::{CommandOutcome, Inner};
use crate::data_dir::Journal;
use crate::ledger::{PendingEntry, PlannedChange};

/// The longest wait of a response for the commit.
const COMMIT_WAIT_TIMEOUT: Duration = Duration::from_millis(900);

/// Owns the changes that are live before they are committed.
#[derive(Debug)]
pub(super) struct FastPath {
    /// One narrowing change at a time.
    turn: AsyncLock<()>,
    pub journal: AsyncLock<Option<Journal>>,
    /// The names of pending entries that a start would find in the journal.
    pub journaled: Lock<HashSet<String>>,
    /// Entries that are committed and may still be in the journal.
    pub committed: Lock<BTreeSet<String>>,
    /// The newest revision that was made from an entry.
    newest: AtomicU64,
    /// Pending entries named here and never sent to a database, so that no database can know them.
    never_sent: Lock<HashSet<String>>,
    /// The waiters for commits, by the name of the pending entry.
    waiters: Lock<HashMap<String, oneshot::Sender<u64>>>,
}

/// A narrowing change that is live.
pub(super) struct Pushed {
    id: String,
    /// Receives the revision of the commit.
    committed: oneshot::Receiver<u64>,
    is_journaled: bool,
}

impl Default for FastPath {
    fn default() -> FastPath {
        FastPath {
            turn: AsyncLock::new(Rank::Turn, ()),
            journal: AsyncLock::new(Rank::Journal, None),
            journaled: Lock::default(),
            committed: Lock::default(),
            newest: AtomicU64::new(0),
            never_sent: Lock::default(),
            waiters: Lock::default(),
        }
    }
}

impl FastPath {
    /// Waits until no other change is on the fast path.
    pub async fn turn(&self) -> AsyncLocked<()> {
        self.turn.lock().await
    }

    pub fn try_turn(&self) -> Option<AsyncLocked<()>> {
        self.turn.try_lock()
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

impl Inner {
    /// Makes a narrowing entry live. The caller holds the turn.
    pub(super) async fn apply_pending(
        self: &Arc<Self>,
        _turn: &AsyncLocked<()>,
        pending: PendingEntry,
    ) -> Pushed {
        let id = pending.id.clone();
        if pending.request.is_none() {
            self.fast_path.never_sent.lock().insert(id.clone());
        }
        let (waiter, committed) = oneshot::channel();
        // Without a database there is no commit to wait for: the answer says that the change is not
        // saved yet.
        let is_up = self.store.is_up();
        if is_up {
            self.fast_path.waiters.lock().insert(id.clone(), waiter);
        }
        self.spawn_commit(&pending);
        // A working database gets each change as a revision of its own. Only entries that wait for
        // a database are merged to one state of each flag.
        let must_wait = !is_up || self.is_refused();
        let written = if must_wait { self.state().to_journal(&pending) } else { pending.clone() };
        for superseded in &written.superseded {
            self.fast_path.take_never_sent(&superseded.id);
        }
        let is_journaled = self.journal(written).await;
        {
            let mut state = self.state();
            let may_go = |older: &PendingEntry| {
                must_wait && (is_journaled || !self.fast_path.journaled.lock().contains(&older.id))
            };
            if state.push_over(pending, may_go) {
                self.refresh(&state);
            }
        }
        self.wake.notify_one();
        Pushed { id, committed, is_journaled }
    }

    /// Starts the commit while the entry is being journaled, if no other commit runs: neither sync
    /// waits for the other. The committer comes before the turn, which is held here, in the order of
    /// locks; so it is only tried, never waited for. If the commit is the first to end, its name is
    /// kept (`EffectiveState::forget`), and the entry is not laid over it a second time.
    fn spawn_commit(self: &Arc<Self>, pending: &PendingEntry) {
        let Some(committer) = self.committer.try_lock() else { return };
        if !self.store.is_open() || !self.state().pending().is_empty() {
            return;
        }
        self.state().claim(&pending.id);
        let mut committer = committer.handed_over();
        let (inner, mut pending) = (self.clone(), pending.clone());
        pending.read();
        tokio::spawn(async move {
            let id = pending.id.clone();
            if inner.commit_entry(&mut committer, pending).await.is_err() {
                // Maintenance tries the commit again; the waiter learns that the change is not
                // saved yet.
                inner.fast_path.dismiss_waiter(&id);
            }
        });
    }

    /// Waits for the commit for as long as a response may take.
    pub(super) async fn await_commit(
        self: &Arc<Self>,
        began: Instant,
        pushed: Pushed,
        parts: Vec<PlannedChange>,
    ) -> CommandOutcome {
        let Pushed { id, mut committed, is_journaled } = pushed;
        match timeout_at(began + COMMIT_WAIT_TIMEOUT, &mut committed).await {
            Ok(Ok(revision)) => CommandOutcome::Committed { revision, parts },
            _ => {
                // The file may have been deleted since it was written.
                let survives_restart = is_journaled && self.survives(&id).await;
                self.fast_path.dismiss_waiter(&id);
                // If it was committed meanwhile, the journal no longer holds it.
                if let Ok(revision) = committed.try_recv() {
                    return CommandOutcome::Committed { revision, parts };
                }
                let position = self.publisher.live.current().position();
                CommandOutcome::Pending { position, survives_restart, parts }
            }
        }
    }

    /// Returns without waiting for the commit.
    pub(super) fn leave(&self, pushed: &Pushed) {
        self.fast_path.dismiss_waiter(&pushed.id);
    }
}

//! How a narrowing change goes live: the journal append and the commit run concurrently, and it is
//! live when the first of them is durable, or in memory alone when neither was in time. What waited for
//! other changes as long as it may wait for the journal is live in memory at once, and the journal gets
//! it afterwards: see `late_journal`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::fast_path::{OnFastPath, Pushed};
use super::{CommandOutcome, Inner};
use crate::ledger::{PendingEntry, PlannedChange};

/// The longest wait of a response for the commit.
const COMMIT_WAIT_TIMEOUT: Duration = Duration::from_millis(900);

impl Inner {
    /// Makes a narrowing entry live. The caller holds the lock of the fast path.
    pub(super) async fn apply_pending(
        self: &Arc<Self>,
        fast_path: &OnFastPath,
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
        let is_journaled = Box::pin(self.journal(written, fast_path.since)).await;
        {
            let mut state = self.state();
            let may_go = |older: &PendingEntry| {
                must_wait && (is_journaled || !self.fast_path.may_be_journaled(&older.id))
            };
            self.unsettled.note_changed(pending.narrowed.iter().map(|narrowed| &narrowed.flag));
            if state.push_over(pending, may_go) {
                self.go_live(&state);
            }
        }
        self.wake.notify_one();
        Pushed { id, committed, is_journaled }
    }

    /// Starts the commit while the entry is being journaled, if no other commit runs: neither sync
    /// waits for the other. The committer comes before the fast path, which is locked here, in the
    /// order of locks; so it is only tried, never waited for. If the commit is the first to end, its name is
    /// kept (`EffectiveState::mark_committed`), and the entry is not laid over it a second time.
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
                // A late journal may have got it meanwhile.
                let is_journaled = is_journaled || self.is_journaled(&id);
                // The file may have been deleted since it was written.
                let survives_restart = is_journaled && Box::pin(self.survives(&id)).await;
                self.fast_path.dismiss_waiter(&id);
                // If it was committed meanwhile, the journal no longer holds it.
                if let Ok(revision) = committed.try_recv() {
                    return CommandOutcome::Committed { revision, parts };
                }
                let position = self.served.live.current().position();
                CommandOutcome::Pending { position, survives_restart, parts }
            }
        }
    }

    /// Returns without waiting for the commit.
    pub(super) fn leave(&self, pushed: &Pushed) {
        self.fast_path.dismiss_waiter(&pushed.id);
    }
}

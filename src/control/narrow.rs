//! What is live before it is committed: journaled and committed beside each other, and swapped in with the first of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Database, Done, Inner, lock};
use crate::truth::{Part, Pending};

/// How long the answer may wait for the commit.
const WAIT: Duration = Duration::from_millis(900);

impl Inner {
    /// Makes a narrowing entry live; whoever calls holds `narrow`. Returns who will hear of its commit, and whether it is on disk.
    pub(super) async fn push(self: &Arc<Self>, pending: Pending) -> (oneshot::Receiver<u64>, bool) {
        if pending.request.is_none() {
            lock(&self.untried).insert(pending.id.clone());
        }
        let (committed, waiting) = oneshot::channel();
        // With the database away nobody waits for it: the answer says that it is not saved yet.
        let is_up = lock(&self.standing).database == Database::Up;
        if is_up {
            lock(&self.waiting).insert(pending.id.clone(), committed);
        }
        self.commit_beside(&pending);
        // A database that takes changes gets each as a revision of its own. Only what waits for one is a state of each flag.
        let must_wait = !is_up || self.is_refused();
        let written = if must_wait { self.truth().to_journal(&pending) } else { pending.clone() };
        for superseded in &written.superseded {
            lock(&self.untried).remove(&superseded.id);
        }
        let journaled = self.journal(written).await;
        {
            let mut truth = self.truth();
            let may_go = |older: &Pending| must_wait && (journaled || !lock(&self.journaled).contains(&older.id));
            if truth.push_over(pending, may_go) {
                self.refresh(&truth);
            }
        }
        self.wake.notify_one();
        (waiting, journaled)
    }

    /// Begins the commit while the entry is being journaled, if nobody else commits just now: neither sync waits for the other, and what is
    /// durable first is live first.
    fn commit_beside(self: &Arc<Self>, pending: &Pending) {
        let Ok(mut lane) = self.lane.clone().try_lock_owned() else { return };
        if lane.store.is_none() || !self.truth().pending().is_empty() {
            return;
        }
        self.truth().claim(&pending.id);
        let (inner, mut pending) = (self.clone(), pending.clone());
        pending.read();
        tokio::spawn(async move {
            let id = pending.id.clone();
            if inner.commit_entry(&mut lane, pending).await.is_err() {
                // The keeper tries it again; whoever waits is told that it is not saved yet.
                lock(&inner.waiting).remove(&id);
            }
        });
    }

    /// Waits for the commit for as long as an answer may take.
    pub(super) async fn await_commit(
        self: &Arc<Self>,
        began: Instant,
        id: &str,
        waiting: oneshot::Receiver<u64>,
        journaled: bool,
        parts: Vec<Part>,
    ) -> Done {
        match timeout_at(began + WAIT, waiting).await {
            Ok(Ok(revision)) => Done::Committed { revision, parts },
            _ => {
                lock(&self.waiting).remove(id);
                // The file may have gone since it was written.
                let survives_restart = journaled && self.survives(id).await;
                Done::Pending { position: self.live.current().position(), survives_restart, parts }
            }
        }
    }
}

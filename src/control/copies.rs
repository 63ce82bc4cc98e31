//! The copies of the state beside the database, as witnesses of it.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::Inner;
use super::recovery::{Copies, CopyState, Foreign, JournalWitness};
use crate::ledger::KnownHead;

impl Inner {
    /// Files of another history than the database and the journal are not witnesses, and are not
    /// kept as the state before the last one.
    pub(super) async fn distrust_foreign(self: &Arc<Self>, foreign: Foreign, copies: &Copies) {
        *self.witnesses.known.lock() = copies.known().cloned();
        *self.witnesses.copies.lock() = Some(copies.clone());
        if foreign.last_good {
            self.store.forget_saved_head();
            self.set_last_good_aside().await;
        }
    }

    /// Where it cannot be moved aside, it stays where it is until another takes its place.
    pub(super) async fn set_last_good_aside(self: &Arc<Self>) {
        let inner = self.clone();
        let _ = spawn_blocking(move || inner.witnesses.last_good.lock().set_aside()).await;
    }

    /// The witnesses of the newest state beside the database: the copies at the start, and memory
    /// once a database was adopted.
    pub(super) fn copies(&self) -> Copies {
        if let Some(copies) = self.witnesses.copies.lock().clone() {
            return copies;
        }
        let head = self.state().catalog.head;
        let memory = self.store.status().epoch.map(|epoch| KnownHead { epoch, head });
        Copies {
            last_good: memory.map_or(CopyState::Absent, CopyState::Good),
            earlier: CopyState::Absent,
            journal: JournalWitness::default(),
            is_anything_ours: true,
        }
    }
}

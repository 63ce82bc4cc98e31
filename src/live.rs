//! The current snapshot. Floor 1: readers never wait for a writer, nor a writer for readers.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use crate::snapshot::{Position, Snapshot};

/// The newest snapshot, and the announcement of each new one.
#[derive(Debug)]
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    positions: watch::Sender<Position>,
}

impl Live {
    pub fn new(snapshot: Snapshot) -> Live {
        let positions = watch::Sender::new(snapshot.position());
        Live { snapshot: ArcSwap::from_pointee(snapshot), positions }
    }

    /// The current snapshot. Hold it for one request, never across an `await`.
    pub fn current(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Swaps a snapshot in if it is newer, and only then announces it (law 7). Returns whether it
    /// was newer.
    pub fn swap_in(&self, snapshot: Snapshot) -> bool {
        let position = snapshot.position();
        let new = Arc::new(snapshot);
        let previous = self.snapshot.rcu(|current| {
            if current.position() < position { new.clone() } else { current.clone() }
        });
        let newer = previous.position() < position;
        if newer {
            self.positions.send_replace(position);
        }
        newer
    }

    /// Every position from now on; a slow receiver sees the latest.
    pub fn positions(&self) -> watch::Receiver<Position> {
        self.positions.subscribe()
    }
}

//! The current snapshot. Floor 1: readers never wait for a writer, nor a writer for them.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use crate::snapshot::{Position, Snapshot};

/// Where the newest snapshot is found, and where news of it is heard.
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

    /// Swaps a snapshot in if it is newer, and only then announces it (law 7). Says whether it was.
    pub fn publish(&self, snapshot: Snapshot) -> bool {
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

    /// Hears of every position from now on; a slow listener hears the latest.
    pub fn positions(&self) -> watch::Receiver<Position> {
        self.positions.subscribe()
    }
}

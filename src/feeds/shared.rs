//! What the writer and the handles of feeds share.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use super::decide::PublishRefused;
use super::health::{FeedProblem, Health};
use super::metrics::FeedCounts;
use super::retention::Retention;
use super::store::EventStore;
use super::warm::WarmStreams;
use crate::clock::Clock;
use crate::flag::FlagKey;

/// What a flag's file says of retention; `None` for a flag that is not known.
pub type RetentionOf = Box<dyn Fn(&FlagKey) -> Option<Retention> + Send + Sync>;

/// What the writer and the handles share.
pub struct Shared {
    pub path: PathBuf,
    pub max_bytes: u64,
    pub clock: Clock,
    pub retention: RetentionOf,
    pub random: fn() -> Option<u64>,
    pub tell: Box<dyn Fn(Vec<FeedProblem>) + Send + Sync>,
    pub renewed: Box<dyn Fn(u64) + Send + Sync>,
    /// What the writer found last that is wrong with what is kept.
    pub kept_problems: Mutex<Vec<FeedProblem>>,
    pub health: Health,
    pub store: ArcSwapOption<EventStore>,
    pub warm: WarmStreams,
    pub counts: FeedCounts,
    pub kept_bytes: AtomicU64,
    /// Queries of databases that were open before.
    pub queries: AtomicU64,
}

/// Why a publish is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Refused(PublishRefused),
    /// Whether it was done is not known where an answer took too long: it can be sent again, as
    /// events are told apart by their ids.
    #[error("events cannot be taken just now; send it again")]
    Unavailable,
}

/// Why a stream is not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemovalError {
    #[error("the disk of the events is full")]
    DiskFull,
    /// Whether it was done is not known where an answer took too long.
    #[error("streams cannot be removed just now; try again")]
    Unavailable,
}

impl Shared {
    /// Does one thing with the database, and notes that it is under way: one that takes too long is
    /// a disk that does not answer. Many that take their time one after another are not.
    pub async fn timed<T>(&self, work: impl Future<Output = T>) -> T {
        self.health.begin(self.clock.now().steady_ms);
        let done = work.await;
        self.health.end();
        done
    }

    /// Tells of all problems. Not the writer alone does so, as a disk that hangs holds it up.
    pub fn report(&self) {
        let kept = self.kept_problems.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.tell)(self.health.problem().into_iter().chain(kept).collect());
    }

    /// The database cannot be used any longer.
    pub fn lose_store(&self) {
        if let Some(store) = self.store.swap(None) {
            self.queries.fetch_add(store.queries(), Relaxed);
        }
        self.warm.clear();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} bytes kept)", self.kept_bytes.load(Relaxed))
    }
}

//! A batch: events that a follower takes as one, or not at all.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapWeak;
use bytes::Bytes;

use super::cursor::Cursor;
use super::limits::MAX_CACHED_BATCH_BYTES;

/// Makes a message from the body of a page and its cursor.
pub type Render = fn(body: &[u8], cursor: &str) -> Bytes;

/// Events that a follower takes as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// As it was rendered.
    pub message: Bytes,
    /// Where its follower is then.
    pub to: Cursor,
}

/// The batch behind a place.
#[derive(Debug)]
pub struct CachedBatch {
    pub from: Cursor,
    /// The head of the stream then: with more events the batch may be another one.
    pub head: u64,
    pub batch: Batch,
}

/// The batches of all streams that were made last, and their bytes. Followers of one place ask
/// within moments, so all are let go again and again.
#[derive(Debug, Default)]
pub struct Batches(Mutex<(Vec<Arc<CachedBatch>>, usize)>);

impl Batches {
    /// Keeps a batch for the other followers of its stream.
    pub fn keep(&self, place: &ArcSwapWeak<CachedBatch>, cached: CachedBatch) {
        const BATCH: usize = size_of::<CachedBatch>() + 32;
        let more = BATCH + cached.batch.message.len();
        let cached = Arc::new(cached);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.1 + more > MAX_CACHED_BATCH_BYTES {
            *kept = (Vec::new(), 0);
        }
        place.store(Arc::downgrade(&cached));
        kept.0.push(cached);
        kept.1 += more;
    }

    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Vec::new(), 0);
    }
}

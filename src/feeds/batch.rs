//! A batch: events that a follower takes as one, or not at all.

use bytes::Bytes;

use super::cursor::Cursor;

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

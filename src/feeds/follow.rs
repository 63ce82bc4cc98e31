//! Following a stream: what there is behind a place, in batches that all followers at that place
//! share.

use std::sync::Arc;

use super::batch::{Batch, CachedBatch, Render};
use super::cursor::Cursor;
use super::name::StreamKey;
use super::page::{self, RenderedEvent, cut_within};
use super::warm::{StreamState, WarmStream, WarmStreams};

/// The most events of a batch, and the most bytes of their data; one event may be larger.
pub const MAX_BATCH_EVENTS: u32 = 100;
const MAX_BATCH_BYTES: usize = 64 * 1024;

/// What there is behind a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    Batch(Batch),
    /// Nothing yet.
    UpToDate,
    /// Nothing, for ever.
    Ended,
    /// The follower has to begin anew, at this cursor and place.
    Reset {
        reason: &'static str,
        cursor: String,
        at: Cursor,
    },
    /// There is no such stream, or it is not the follower's.
    NotThere,
    /// There is something, and the database has to be read.
    NotInMemory,
    Unavailable,
}

impl StreamState {
    /// What there is behind a place.
    pub fn follow(
        &self,
        warm: &WarmStreams,
        stream: &WarmStream,
        at: Cursor,
        render: Render,
    ) -> Followed {
        let record = &self.record;
        let reset = |reason| {
            let at = Cursor { epoch: record.epoch, position: record.kept_after };
            Followed::Reset { reason, cursor: at.encode(&stream.key), at }
        };
        match () {
            () if at.epoch != record.epoch || at.position > record.head => reset("stream-reset"),
            () if at.position < record.kept_after => reset("cursor-expired"),
            () if at.position < record.head => self.next_batch(warm, stream, at, render),
            () if record.ended => Followed::Ended,
            () => Followed::UpToDate,
        }
    }

    fn next_batch(
        &self,
        warm: &WarmStreams,
        stream: &WarmStream,
        from: Cursor,
        render: Render,
    ) -> Followed {
        let head = self.record.head;
        if let Some(cached) = stream.batch.load().upgrade()
            && (cached.from, cached.head) == (from, head)
        {
            return Followed::Batch(cached.batch.clone());
        }
        let Some(tail) = self.tail_after(from.position).filter(|tail| !tail.is_empty()) else {
            return Followed::NotInMemory;
        };
        let batch = self.batch(&stream.key, from, tail, render);
        warm.batches.keep(&stream.batch, CachedBatch { from, head, batch: batch.clone() });
        Followed::Batch(batch)
    }

    /// A batch of these events, the first of which follows the place.
    pub fn batch(
        &self,
        key: &StreamKey,
        from: Cursor,
        events: &[Arc<RenderedEvent>],
        render: Render,
    ) -> Batch {
        let data_bytes = events.iter().map(|event| event.data_bytes);
        let events = &events[..cut_within(data_bytes, MAX_BATCH_EVENTS, MAX_BATCH_BYTES)];
        let position = events.last().map_or(from.position, |event| event.position);
        let to = Cursor { epoch: from.epoch, position };
        let cursor = to.encode(key);
        let has_more = position < self.record.head;
        let body = page::body(events.iter().map(|event| &**event), &cursor, has_more, false);
        Batch { message: render(&body, &cursor), to }
    }
}

//! Every bound of feeds, by name and unit.

use std::time::Duration;

pub use turnout_api::bounds::{
    LIST_PAGE, MAX_CURSOR_BYTES, MAX_DATA_BYTES, MAX_EVENTS_OF_BODY, MAX_PAGE_EVENTS,
    MAX_PUBLISH_BYTES, MAX_READERS,
};

/// Maps and lists inside each other in an event's `data`.
pub const MAX_DATA_DEPTH: usize = 128;
/// Printable ASCII characters of an event's id.
pub const MAX_EVENT_ID_BYTES: usize = 128;
/// Bytes of an event's type.
pub const MAX_TYPE_BYTES: usize = 64;
/// Bytes of a stream's name.
pub const MAX_STREAM_BYTES: usize = 128;

/// Events of a page, unless the poll says otherwise, and at most.
pub const PAGE_EVENTS: u32 = 50;
/// Bytes of `data` of a page that holds more than one event.
pub const MAX_PAGE_BYTES: usize = 256 * 1024;
/// The most events that `tail` goes back.
pub const MAX_TAIL: u32 = 1_000;
/// The longest time a poll may ask to be held, in milliseconds.
pub const MAX_WAIT_MS: u32 = 25_000;

/// One flag holds at most this part of all bytes, and one stream at most that part.
pub const FLAG_PART: u64 = 2;
pub const STREAM_PART: u64 = 16;
/// Bytes that a stream counts beside its events: its row, its name and its indices, about.
pub const STREAM_BYTES: u64 = 512;
/// Bytes that an event counts beside its texts: its row and its index, about.
pub const EVENT_BYTES: u64 = 96;

/// For so long at least the id of an event is remembered, also after the event itself is gone.
pub const DUPLICATES_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// For so long a smaller `retain` or `keep` removes nothing.
pub const SHORTENED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes of publishes that wait to be committed.
pub const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;
/// Publishes, and bytes of them, that one commit takes.
pub const MAX_BATCH: usize = 1_000;
pub const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Polls that wait for the database at once.
pub const MAX_WAITING_READS: usize = 1_024;
/// How long a poll waits for the database, and a publish for its commit.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// Streams whose state is in memory, and the bytes these take with their tails.
pub const MAX_WARM_STREAMS: usize = 20_000;
pub const MAX_WARM_BYTES: usize = 12 * 1024 * 1024;
/// Bytes of the batches that followers of the same place share, in all streams.
pub const MAX_CACHED_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of the names that were answered with `stream-not-found` lately.
pub const MAX_REFUSED_BYTES: usize = 1024 * 1024;
/// Events, and bytes of them, that the tail of one stream holds.
pub const MAX_TAIL_EVENTS: usize = 256;
pub const MAX_TAIL_BYTES: usize = 256 * 1024;

//! What one connection may cost and how long its steps may take: every bound of a listener, with
//! its default. What happens at a bound is decided where the bound is enforced: `admission.rs`,
//! `connection.rs`, `service.rs`.

use std::time::Duration;

/// The most bytes of a request's head: its first line and its headers.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// A head of which this many bytes arrived, and that is not whole, is a long one: long heads are
/// counted.
pub const LONG_HEAD_BYTES: usize = 4 * 1024;
/// The most bytes of all long heads that are arriving. Over it, the connection whose head has been
/// arriving for longest is closed.
pub const MAX_LONG_HEADS_BYTES: usize = 32 * 1024 * 1024;
/// Connections that wait in the system until they are accepted.
pub const BACKLOG: u32 = 4096;
/// Accepts this many connections, then yields, so that a burst of connects does not delay open
/// requests.
pub const ADMITTED_AT_ONCE: usize = 4;
/// What the system may hold of a request before it is read, and of a response before it is taken.
/// By default the system lets both grow to megabytes for a client that asks and never reads.
pub const RECEIVE_BUFFER_BYTES: u32 = 32 * 1024;
pub const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// How long requests under way are given when the server stops.
pub const DRAIN_AT_MOST: Duration = Duration::from_secs(5);
/// How long a client may go on sending after its last response, so that it gets to read it.
pub const LINGER_AT_MOST: Duration = Duration::from_secs(1);
/// A client that has taken nothing of a waiting response for this long leaves first when there is
/// no room (law 9).
pub const TAKES_NOTHING: Duration = Duration::from_secs(1);
/// A response of fewer bytes is not counted among those that wait: beside its connection it costs
/// little.
pub const UNCOUNTED_BYTES: u64 = 4 * 1024;
/// The most bytes that are thrown away while lingering.
pub const LINGER_BYTES: usize = 256 * 1024;

/// The most connections at once on the abstract socket; then the longest idle one makes room.
pub const LOCAL_CONNECTIONS: usize = 64;

/// The bounds of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once. At this many, the longest idle one makes room for the next.
    pub connections: usize,
    /// Time from the first byte of a request's head to its last.
    pub header: Duration,
    /// Time for the whole of a request's body.
    pub body: Duration,
    /// Time in which a client has to take at least one byte of a response that waits for it.
    pub write: Duration,
    /// Time between a response and the next request.
    pub idle: Duration,
    /// Bytes of all responses together that wait to be taken. Over it, the connection that has
    /// taken nothing for longest is cut.
    pub unread: usize,
    /// How many of these bytes may belong to strangers.
    pub unread_of_strangers: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 50_000,
            header: Duration::from_secs(5),
            body: Duration::from_secs(10),
            write: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            unread: 64 * 1024 * 1024,
            unread_of_strangers: 32 * 1024 * 1024,
        }
    }
}

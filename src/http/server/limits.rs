//! What one connection may cost and how long it may take: every bound of a listener, by name, with its default.
//! What happens when one is reached is decided by whoever keeps it: `seats.rs`, `connection.rs`, `exchange.rs`.

use std::time::Duration;

/// The most bytes of a request's head: its first line and its headers.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Connections that wait in the system until they are accepted.
pub const BACKLOG: u32 = 4096;
/// So many of these are let in before those who are in get their turn: else whoever asks waits for all who come at once.
pub const ADMITTED_AT_ONCE: usize = 4;
/// What the system may hold of a request before it is read, and of an answer before it is taken. Left to itself it grows both to
/// megabytes for a client that asks and never reads.
pub const RECEIVE_BUFFER_BYTES: u32 = 32 * 1024;
pub const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// How long requests under way are given when the server stops.
pub const DRAIN_AT_MOST: Duration = Duration::from_secs(5);
/// How long a client may go on sending after its last answer, so that it gets to read it.
pub const LINGER_AT_MOST: Duration = Duration::from_secs(1);
/// The most bytes that are thrown away meanwhile.
pub const LINGER_BYTES: usize = 256 * 1024;

/// The bounds of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. At this many, the longest idle one makes room for the next.
    pub connections: usize,
    /// From the first byte of a request's head to its last.
    pub header: Duration,
    /// For the whole of a request's body.
    pub body: Duration,
    /// For a client to take a single byte of an answer that is waiting for it.
    pub write: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 50_000,
            header: Duration::from_secs(5),
            body: Duration::from_secs(10),
            write: Duration::from_secs(30),
            idle: Duration::from_secs(75),
        }
    }
}

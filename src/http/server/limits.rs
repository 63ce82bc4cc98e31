//! What one connection may cost and how long it may take: every bound of a listener, by name, with
//! its default. What happens when one is reached is decided by whoever keeps it: `seats.rs`,
//! `connection.rs`, `exchange.rs`.

use std::time::Duration;

/// The most bytes of a request's head: its first line and its headers.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// A head of which so much came and that is not whole is a long one: those are counted.
pub const LONG_HEAD_BYTES: usize = 4 * 1024;
/// The most bytes of all long heads that are coming. Over it, the one is hung up on that has been
/// coming for longest.
pub const MAX_LONG_HEADS_BYTES: usize = 32 * 1024 * 1024;
/// Connections that wait in the system until they are accepted.
pub const BACKLOG: u32 = 4096;
/// So many of these are let in before those who are in get their turn: else whoever asks waits for
/// all who come at once.
pub const ADMITTED_AT_ONCE: usize = 4;
/// What the system may hold of a request before it is read, and of an answer before it is taken.
/// Left to itself it grows both to megabytes for a client that asks and never reads.
pub const RECEIVE_BUFFER_BYTES: u32 = 32 * 1024;
pub const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// How long requests under way are given when the server stops.
pub const DRAIN_AT_MOST: Duration = Duration::from_secs(5);
/// How long a client may go on sending after its last answer, so that it gets to read it.
pub const LINGER_AT_MOST: Duration = Duration::from_secs(1);
/// Who has taken nothing of a waiting answer for so long leaves before anybody else when there is
/// no room (law 9).
pub const TAKES_NOTHING: Duration = Duration::from_secs(1);
/// An answer of fewer bytes is not counted among those that wait: with its connection it costs
/// little.
pub const UNCOUNTED_BYTES: u64 = 4 * 1024;
/// The most bytes that are thrown away meanwhile.
pub const LINGER_BYTES: usize = 256 * 1024;

/// Connections at once on a socket of a name; who comes then waits until one ends.
pub const LOCAL_CONNECTIONS: usize = 64;

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
    /// Bytes of all answers together that wait to be taken. Over it, the connection that has taken
    /// nothing for longest is cut.
    pub unread: usize,
    /// How many of these may be of strangers.
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

//! What streams may cost, with the defaults.

use std::time::Duration;

use crate::convergence::Amount;

/// The most bytes of one event. A larger state is not sent: the event says that there is one, and
/// the client asks for it.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;
/// The most bytes a client may send on an open stream, where nothing is expected of it.
pub const MAX_HEARD_BYTES: usize = 64 * 1024;
/// How long the system may keep bytes that a client has not acknowledged before it gives up the
/// connection: a client that vanished silently is found within a heartbeat and this.
pub const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// How often a realtime stream whose client takes nothing is checked for whether it may go on: nothing
/// else would show that its user is no reader any more.
pub const STUCK_LOOK: Duration = Duration::from_millis(500);
/// How often a half-closed stream is checked for whether its client has left: nothing else would
/// show it before the next event.
pub const HALF_CLOSED_LOOK: Duration = Duration::from_secs(1);
/// How often the ticker looks for streams with something to do.
pub const TICK: Duration = Duration::from_millis(250);
/// How long a client waits before it reconnects after a stream broke, at least and at most.
pub const RETRY_MS: (u64, u64) = (1_000, 5_000);
/// How long a realtime stream lasts, give or take a fifth.
pub const REALTIME_AGE: Duration = Duration::from_secs(10 * 60);
/// How long before its end a realtime stream says so.
pub const WARNING: Duration = Duration::from_secs(10);
/// How many streams per second are asked to come back after a stop.
pub const RETURN_A_SECOND: u64 = 2_000;
/// How long a client that found no room waits, at least and at most.
pub const NO_ROOM_SECONDS: (u64, u64) = (2, 10);

/// The bounds of all streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// The most streams at once.
    pub streams: usize,
    /// Time between two heartbeats.
    pub heartbeat: Duration,
    /// How long a stream lasts, give or take a fifth.
    pub max_age: Duration,
    /// Bytes that may be kept of the callers, of all streams together.
    pub context_bytes: usize,
}

/// Strangers may take half of the streams and of what is kept for them, where callers can have a
/// credential at all.
pub const STRANGERS_ONE_IN: usize = 2;
/// A user, or the strangers of one address, may take a quarter, and a minimum of streams in any
/// case.
pub const CALLER_ONE_IN: usize = 4;
pub const CALLER_STREAMS_AT_LEAST: usize = 8;
/// A server asks for many users: what is kept for it may be half of everything, and its streams are
/// not counted.
pub const SERVER_ONE_IN: usize = 2;

impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits {
            streams: 20_000,
            heartbeat: Duration::from_secs(15),
            max_age: Duration::from_secs(30 * 60),
            context_bytes: 64 * 1024 * 1024,
        }
    }
}

impl StreamLimits {
    /// Lowers the bounds to fit `connections`: a quarter of the connections stays free for
    /// questions, which are never refused.
    pub fn within(self, connections: usize) -> StreamLimits {
        StreamLimits { streams: self.streams.min((connections - connections / 4).max(1)), ..self }
    }

    /// The bound for all callers together.
    pub fn all(self) -> Amount {
        Amount { streams: self.streams, bytes: self.context_bytes }
    }

    /// What strangers may take of it.
    pub fn of_strangers(self) -> Amount {
        Amount {
            streams: self.streams.div_ceil(STRANGERS_ONE_IN),
            bytes: self.context_bytes / STRANGERS_ONE_IN,
        }
    }

    /// What a user may take of it, or the strangers of one address.
    pub fn of_caller(self) -> Amount {
        let streams = (self.streams / CALLER_ONE_IN).max(CALLER_STREAMS_AT_LEAST);
        Amount { streams, bytes: self.context_bytes / CALLER_ONE_IN }
    }

    /// What a server may take of it.
    pub fn of_server(self) -> Amount {
        Amount { streams: usize::MAX, bytes: self.context_bytes / SERVER_ONE_IN }
    }
}

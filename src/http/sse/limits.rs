//! What streams may cost, by name, with the defaults.

use std::time::Duration;

use crate::convergence::Amount;

/// The most bytes of one event. A state that is larger is not sent but told of: its client asks for
/// it.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;
/// What a client may send on a stream, where nothing is expected of it.
pub const MAX_HEARD_BYTES: usize = 64 * 1024;
/// How long the system may keep what a client has not acknowledged, before the connection is given
/// up: a client that vanished without a word is found within a heartbeat and this.
pub const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// How often it is looked whether a client that sends nothing more has left: nothing else would
/// tell before the next event.
pub const HALF_CLOSED_LOOK: Duration = Duration::from_secs(1);
/// How often it is looked for streams with something to do.
pub const TICK: Duration = Duration::from_millis(250);
/// How long a client waits before it comes back after a stream broke, at the least and at the most.
pub const RETRY_MS: (u64, u64) = (1_000, 5_000);
/// How many streams a second are asked to come back after a stop.
pub const RETURN_A_SECOND: u64 = 2_000;
/// What a client waits that found no room, at the least and at the most.
pub const NO_ROOM_SECONDS: (u64, u64) = (2, 10);

/// The bounds of all streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// How many there may be at once.
    pub streams: usize,
    /// Between two signs of life.
    pub heartbeat: Duration,
    /// How long one lasts, give or take a fifth.
    pub max_age: Duration,
    /// Bytes that may be kept of who listens, of all streams together.
    pub context_bytes: usize,
}

/// Strangers may have half of the streams and of what is kept for them, where others can have a
/// credential at all.
pub const STRANGERS_ONE_IN: usize = 2;
/// A user, or strangers of one address, may have a quarter, and so many streams in any case.
pub const CALLER_ONE_IN: usize = 4;
pub const CALLER_STREAMS_AT_LEAST: usize = 8;
/// A server asks for many users: what is kept for it may be half of all, and its streams are not
/// counted.
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
    /// A quarter of the connections stays free for questions, which are never refused.
    pub fn within(self, connections: usize) -> StreamLimits {
        StreamLimits { streams: self.streams.min((connections - connections / 4).max(1)), ..self }
    }

    /// What there is.
    pub fn all(self) -> Amount {
        Amount { streams: self.streams, bytes: self.context_bytes }
    }

    /// What strangers may have of it.
    pub fn of_strangers(self) -> Amount {
        Amount {
            streams: self.streams.div_ceil(STRANGERS_ONE_IN),
            bytes: self.context_bytes / STRANGERS_ONE_IN,
        }
    }

    /// What a user may have of it, or strangers of one address.
    pub fn of_caller(self) -> Amount {
        let streams = (self.streams / CALLER_ONE_IN).max(CALLER_STREAMS_AT_LEAST);
        Amount { streams, bytes: self.context_bytes / CALLER_ONE_IN }
    }

    /// What a server may have of it.
    pub fn of_server(self) -> Amount {
        Amount { streams: usize::MAX, bytes: self.context_bytes / SERVER_ONE_IN }
    }
}

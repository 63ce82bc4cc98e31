//! What a client gets besides the strategy's name: where to connect, and how.
//!
//! No part of this affects the decision.

use std::time::Duration;

pub use turnout_api::strategy::RealtimeKind;

/// How a client polls.
#[derive(Clone, Debug, PartialEq)]
pub struct Polling {
    /// A template, or an address of the application; `None` if the flag has none.
    pub url: Option<String>,
    pub start: Duration,
    pub min: Duration,
    pub max: Duration,
    /// By how much an idle client's interval grows, in thousandths.
    pub factor_thousandths: u32,
    /// How far apart two polls of a stream start at least.
    pub dedupe: Duration,
    /// The most events in one answer.
    pub limit: u32,
    /// How long a poll may be held until there is something.
    pub wait: Duration,
    /// How long events are kept, and how many of a stream; clients are not told.
    pub retain: Duration,
    pub keep: u32,
}

impl Default for Polling {
    fn default() -> Polling {
        Polling {
            url: None,
            start: Duration::from_secs(4),
            min: Duration::from_secs(3),
            max: Duration::from_secs(15),
            factor_thousandths: 1500,
            dedupe: Duration::from_secs(2),
            limit: 50,
            wait: Duration::ZERO,
            retain: Duration::from_secs(7 * 24 * 60 * 60),
            keep: 10_000,
        }
    }
}

/// How a client connects in realtime.
#[derive(Clone, Debug, PartialEq)]
pub struct Realtime {
    pub kind: RealtimeKind,
    pub url: Option<String>,
    pub token_ttl: Duration,
    /// The waits between attempts to connect, in order.
    pub retry: Vec<Duration>,
}

impl Default for Realtime {
    fn default() -> Realtime {
        Realtime {
            kind: RealtimeKind::Sse,
            url: None,
            token_ttl: Duration::from_secs(600),
            retry: [2, 4, 8, 16, 32].map(Duration::from_secs).to_vec(),
        }
    }
}

/// How long a client may use an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct CachePolicy {
    /// Ask again after this long.
    pub valid_for: Duration,
    /// Keep the answer this long while asking fails.
    pub stale_if_error: Duration,
    /// Spread the first poll over this long when realtime is left.
    pub enter_spread: Duration,
}

impl Default for CachePolicy {
    fn default() -> CachePolicy {
        CachePolicy {
            valid_for: Duration::from_secs(60),
            stale_if_error: Duration::from_secs(24 * 60 * 60),
            enter_spread: Duration::from_secs(5),
        }
    }
}

/// All transport settings that a client gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transports {
    pub validity: CachePolicy,
    pub polling: Polling,
    pub realtime: Realtime,
}

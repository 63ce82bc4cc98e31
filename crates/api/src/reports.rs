//! Reports: how following went in one tab, since the tab's last report.
//!
//! A report has numbers and known words alone: no id, no address, no free text. Members may be
//! added; a server ignores those it does not know.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::FlagKey;
use crate::strategy::Strategy;
use crate::words::words;

/// The upper bounds of the ranges of `intervalMs`; the last range has none.
pub const INTERVAL_BOUNDS_MS: [u64; 9] =
    [1_000, 2_500, 5_000, 7_500, 10_000, 15_000, 20_000, 30_000, 60_000];
/// The upper bounds of the ranges of `latencyMs`; the last range has none.
pub const LATENCY_BOUNDS_MS: [u64; 8] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];
/// The pattern of the name and of the version of a client's library.
pub const LIBRARY: &str = "[A-Za-z0-9@][A-Za-z0-9@._/+-]{0,63}";

words! {
    /// What a client did at the end of the window.
    pub enum ClientMode {
        Idle = "idle",
        Polling = "polling",
        Connecting = "connecting",
        Live = "live",
        Degraded = "degraded",
        Disabled = "disabled",
        Unauthenticated = "unauthenticated",
        Ended = "ended",
        Stopped = "stopped",
    }
}

words! {
    /// Why a client does something else than before.
    pub enum SwitchReason {
        /// The strategy, or what the server said with it.
        Strategy = "strategy",
        /// The browser has as many open requests as it may.
        Tabs = "tabs",
        /// The client cannot read a body as it comes.
        Unsupported = "unsupported",
        UnknownKind = "unknown-kind",
        /// The server or the transport was not reached.
        Unreachable = "unreachable",
    }
}

/// How following went in one tab, over all its streams, since its last report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "client": "turnout-client", "version": "0.1.0", "windowMs": 60_000,
    "flags": [{
        "flag": "build-events", "strategy": "polling", "mode": "polling",
        "poll": { "success": 9, "error": 0, "empty": 7, "limited": 0 },
        "intervalMs": { "buckets": [0, 0, 3, 3, 2, 1, 0, 0, 0, 0], "sumMs": 58_000 },
        "latencyMs": { "buckets": [0, 0, 0, 1, 1, 0, 0, 0, 0], "sumMs": 2_400 },
        "complaint": false,
    }],
})))]
pub struct Report {
    /// The name of the client's library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Za-z0-9@][A-Za-z0-9@._/+-]{0,63}$")]
    pub client: Option<String>,
    /// The version of the client's library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[A-Za-z0-9@][A-Za-z0-9@._/+-]{0,63}$")]
    pub version: Option<String>,
    /// How long ago the window began, two minutes at most.
    #[schema(maximum = 120_000)]
    pub window_ms: u64,
    /// Each flag whose streams the tab follows, once.
    #[schema(min_items = 1, max_items = 32)]
    pub flags: Vec<FlagReport>,
}

/// How following the streams of one flag went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlagReport {
    #[schema(value_type = FlagKey)]
    pub flag: String,
    /// The strategy of the document that the client holds, if it holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub strategy: Option<Strategy>,
    pub mode: ClientMode,
    #[serde(default)]
    pub poll: PollReport,
    /// From the start of a poll to the start of the next one of its stream.
    #[serde(default)]
    pub interval_ms: IntervalReport,
    /// From an event's `at` to the client, by the server's clock: the event that waited longest, of
    /// each delivery of live events. The first page, and what was caught up on, do not count.
    #[serde(default)]
    pub latency_ms: LatencyReport,
    #[serde(default)]
    pub realtime: RealtimeReport,
    #[serde(default)]
    #[schema(max_items = 32)]
    pub switches: Vec<Switch>,
    /// Tokens that could not be refreshed.
    #[serde(default)]
    pub refresh_failures: u64,
    /// Copies of events that were dropped.
    #[serde(default)]
    #[schema(maximum = 10_000)]
    pub dedup_drops: u64,
    /// Streams that began anew.
    #[serde(default)]
    pub resets: u64,
    /// The user pressed "report a problem".
    #[serde(default)]
    pub complaint: bool,
}

/// What polls came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PollReport {
    /// Polls that were answered, with events or without.
    #[serde(default)]
    pub success: u64,
    /// Polls that failed.
    #[serde(default)]
    pub error: u64,
    /// How many of the answered ones had nothing new.
    #[serde(default)]
    pub empty: u64,
    /// Polls that were one too many (429).
    #[serde(default)]
    pub limited: u64,
}

/// How many intervals were in which range: up to 1, 2.5, 5, 7.5, 10, 15, 20, 30 and 60 s, and
/// longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntervalReport {
    #[schema(min_items = 10, max_items = 10)]
    pub buckets: Vec<u64>,
    /// The sum of all, each counted as 60 s at most.
    pub sum_ms: u64,
}

/// How many latencies were in which range: up to 0.1, 0.25, 0.5, 1, 2.5, 5, 10 and 30 s, and
/// longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyReport {
    #[schema(min_items = 9, max_items = 9)]
    pub buckets: Vec<u64>,
    /// The sum of all, each counted as 30 s at most.
    pub sum_ms: u64,
}

/// How realtime connections fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeReport {
    /// Connections that became live.
    #[serde(default)]
    pub connects: u64,
    /// Connections that did not, or that broke.
    #[serde(default)]
    pub failures: u64,
    /// For how long streams were live, all together.
    #[serde(default)]
    pub live_ms: u64,
}

/// A client does something else than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Switch {
    pub from: ClientMode,
    pub to: ClientMode,
    pub reason: SwitchReason,
}

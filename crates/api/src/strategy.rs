//! The strategy document: what a client goes by.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::FlagKey;
use crate::words::words;

words! {
    /// The transport a client uses for live updates.
    pub enum Strategy {
        Polling = "polling",
        RealtimeV2 = "realtime-v2",
        Disabled = "disabled",
    }
}

words! {
    /// OpenFeature's reason.
    pub enum Reason {
        Static = "STATIC",
        TargetingMatch = "TARGETING_MATCH",
        Split = "SPLIT",
        Default = "DEFAULT",
        Error = "ERROR",
    }
}

words! {
    /// The step that decided.
    pub enum Rule {
        Stop = "stop",
        Off = "off",
        Deny = "deny",
        Allow = "allow",
        Rule = "rule",
        Rollout = "rollout",
        Default = "default",
        NoUnit = "no-unit",
        ServerAuth = "server-auth",
        Error = "error",
        ColdStart = "cold-start",
    }
}

words! {
    /// The protocol of a realtime connection.
    pub enum RealtimeKind {
        Sse = "sse",
        WebSocket = "websocket",
    }
}

words! {
    /// The protocol of a stream of answers.
    pub enum WatchKind {
        Sse = "sse",
    }
}

/// What a client goes by. Nothing in it is particular to the user, the moment or the revision.
/// Members may be added; ignore those you do not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StrategyDocument {
    #[schema(value_type = FlagKey)]
    pub flag: String,
    pub strategy: Strategy,
    pub reason: Reason,
    pub rule: Rule,
    /// Ask again after this long.
    pub valid_for_ms: u64,
    /// Keep the answer this long while asking fails.
    pub stale_if_error_ms: u64,
    /// Enter realtime after a wait of this long at most, by chance; leave it at once, and spread the
    /// first poll over this long.
    pub enter_spread_ms: u64,
    pub watch: Watch,
    pub polling: Polling,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub realtime: Option<Realtime>,
    pub report: Reporting,
}

/// The strategy documents of all flags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StrategyDocuments {
    /// In the order of keys.
    pub flags: Vec<StrategyDocument>,
}

/// Where to hear that this document is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Watch {
    pub kind: WatchKind,
    /// Takes the same body with POST, or a session token with GET.
    pub url: String,
    /// Where each event is acknowledged.
    pub ack_url: String,
}

/// How to poll; always there, as whatever fails a client polls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Polling {
    /// A template, if the flag names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// The first wait between two polls.
    pub start_ms: u64,
    /// The shortest wait.
    pub min_ms: u64,
    /// The longest wait.
    pub max_ms: u64,
    /// By how much an idle client's wait grows.
    #[schema(minimum = 1, maximum = 10)]
    pub factor: f64,
    /// How far apart two polls of a stream start at least.
    pub dedupe_ms: u64,
    /// Events an answer carries at most.
    #[schema(minimum = 1)]
    pub limit: u32,
    /// How long a poll asks to be held until there is something.
    pub wait_ms: u64,
}

/// How to connect; there when the strategy is `realtime-v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Realtime {
    pub kind: RealtimeKind,
    /// A template, if the flag names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// Where a session is exchanged for a token.
    pub token_url: String,
    /// How long a token lives.
    pub token_ttl_ms: u64,
    /// The waits before the next attempts to connect.
    pub retry_ms: Vec<u64>,
    /// How long a stream may take to say that it is live; one that takes longer counts as failed.
    pub connect_ms: u64,
    /// How long a client that gave realtime up polls before it tries again.
    pub fallback_ms: u64,
}

/// Where a client with a session token reports how following went, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reporting {
    pub url: String,
    pub every_ms: u64,
}

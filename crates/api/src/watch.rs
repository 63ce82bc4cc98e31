//! The events of a stream of answers, and their acknowledgement.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::strategy::{StrategyDocument, StrategyDocuments};
use crate::strict::Body;
use crate::words::words;

words! {
    /// What happened; ignore those you do not know.
    pub open enum EventKind {
        /// The state of one flag: the event has a `document`.
        Strategy = "strategy",
        /// The state of all flags: the event has `documents`.
        Strategies = "strategies",
        /// The state is too large for an event; ask for it.
        Refetch = "refetch",
        /// By now you hold the document of this tag, or ask again.
        Heartbeat = "heartbeat",
        /// Come back after `afterMs`.
        Goodbye = "goodbye",
    }
}

words! {
    /// Why a stream ends.
    pub open enum CloseReason {
        Stopping = "stopping",
        Age = "age",
        Expired = "expired",
        UnknownFlag = "unknown-flag",
        /// A flag needs more of the client's context than was kept: the client has to send it again.
        AsksMore = "asks-more",
        /// The user's strategy is no longer `realtime-v2`.
        Strategy = "strategy",
        /// The stream of events has ended.
        Ended = "ended",
        /// The stream of events is gone, or no longer the user's to read.
        StreamNotFound = "stream-not-found",
        /// The user opened more realtime streams than there may be.
        Replaced = "replaced",
        EventsUnavailable = "events-unavailable",
    }
}

/// What happened, by its `type`; ignore those you do not know. `strategy` has a `document`,
/// `strategies` has `documents`. `refetch`: the state is too large for an event; ask for it.
/// `heartbeat`: by now you hold the document of this tag, or ask again. `goodbye`: come back after
/// `afterMs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchEvent {
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The tag of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub etag: Option<String>,
    /// In the first event: the name of this stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ack_id: Option<String>,
    /// In the first event: between two signs of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub heartbeat_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub document: Option<StrategyDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub documents: Option<StrategyDocuments>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<CloseReason>,
    /// Come back after this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub after_ms: Option<u64>,
}

/// What the client of a stream holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Acknowledgement {
    /// The stream, from its first event.
    pub ack_id: String,
    /// The id of the newest event that was heard.
    pub position: String,
}

impl Body for Acknowledgement {
    const MEMBERS: &'static [(&'static str, &'static str)] = &[
        ("ackId", "the name of a stream, from its first event"),
        ("position", "the id of an event, like 213 or 213+2"),
    ];
    const NEEDED: &'static [(&'static str, &'static str)] =
        &[("ackId", "`ackId` names the stream"), ("position", "`position` is what is held")];
}

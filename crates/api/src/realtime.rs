//! The messages of a realtime stream.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::feeds::PageEvent;
use crate::schema::Cursor;
use crate::strategy::StrategyDocument;
use crate::watch::CloseReason;
use crate::words::words;

words! {
    /// What happened; ignore those you do not know.
    pub open enum MessageKind {
        /// The strategy, first and whenever it is another: the message has a `document`.
        Strategy = "strategy",
        /// Events, taken whole.
        Events = "events",
        /// There are no further events now.
        UpToDate = "up-to-date",
        /// By now you hold the document of this tag, or ask again.
        Heartbeat = "heartbeat",
        /// Begin anew at `cursor`.
        Reset = "reset",
        /// The stream ends, or ends soon.
        Goodbye = "goodbye",
    }
}

/// What happened, by its `type`; ignore those you do not know. `strategy` has a `document`: leave
/// once it is not `realtime-v2`. `events` are taken whole; `up-to-date` says that there are no
/// further ones now. `reset`: begin anew at `cursor`. `goodbye`: the stream ends, or ends soon.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeMessage {
    #[serde(rename = "type")]
    pub kind: MessageKind,
    /// Why the stream ends or is begun anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub reason: Option<CloseReason>,
    /// Each as it was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, value_type = Vec<PageEvent>)]
    pub events: Vec<Box<RawValue>>,
    /// Where the stream goes on behind this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Cursor>)]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub has_more: Option<bool>,
    /// The tag of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub etag: Option<String>,
    /// What an acknowledgement names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub position: Option<String>,
    /// In the first message: the name of this stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ack_id: Option<String>,
    /// In the first message: between two signs of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub heartbeat_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub document: Option<StrategyDocument>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub time: Option<i64>,
    /// Come back after this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub after_ms: Option<u64>,
}

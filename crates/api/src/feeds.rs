//! Feeds, as a client reads and writes them: the events of a stream, a publish and the streams of a
//! flag.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::strategy::StrategyDocument;
use crate::watch::CloseReason;
use crate::words::words;

/// An event to publish.
#[derive(Debug, Serialize)]
pub struct NewEvent<'a> {
    pub id: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// JSON, sent as it was written.
    pub data: &'a RawValue,
}

/// What a publish asks for.
#[derive(Debug, Default, Serialize)]
pub struct PublishBody<'a> {
    /// A list of targeting keys, or `verified`; left out, the readers stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<bool>,
    pub events: Vec<NewEvent<'a>>,
}

/// What became of a publish, once it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishResult {
    /// The end of the stream.
    pub cursor: String,
    pub accepted: u64,
    /// Events that the stream held already.
    pub duplicates: u64,
}

/// An event of a page.
#[derive(Debug, Deserialize)]
pub struct PageEvent {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was committed, by the node's clock, as RFC 3339.
    pub at: String,
    /// JSON, as it was published.
    pub data: Box<RawValue>,
}

/// The events behind a cursor; `E` is [`PageEvent`], or JSON as it was sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventPage<E> {
    pub events: Vec<E>,
    /// Where the next page begins.
    pub cursor: String,
    pub has_more: bool,
    /// Nothing follows any more.
    #[serde(default)]
    pub ended: bool,
}

words! {
    /// What a realtime stream says; ignore those you do not know.
    pub open enum MessageKind {
        /// These events, in their order, and the cursor behind them.
        Events = "events",
        /// The stream is followed anew from this cursor.
        Reset = "reset",
        /// From now on events come as they are published.
        UpToDate = "up-to-date",
        /// The strategy of the user, as a `document`.
        Strategy = "strategy",
        Heartbeat = "heartbeat",
        Goodbye = "goodbye",
    }
}

/// One message of a realtime stream, by its `type`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeMessage {
    #[serde(rename = "type")]
    pub kind: MessageKind,
    #[serde(default)]
    pub events: Vec<Box<RawValue>>,
    pub cursor: Option<String>,
    pub reason: Option<CloseReason>,
    /// Come back after this long.
    pub after_ms: Option<u64>,
    /// In the first message: the name of this stream.
    pub ack_id: Option<String>,
    /// In the first message: between two signs of life.
    pub heartbeat_ms: Option<u64>,
    pub position: Option<String>,
    pub document: Option<StrategyDocument>,
}

/// One stream in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamRow {
    pub stream: String,
    /// The position of the newest event.
    pub head: u64,
    /// How many events are kept, and their bytes.
    pub kept: u64,
    pub bytes: u64,
    /// How many users may read it, or `verified`.
    pub readers: Json,
    pub ended: bool,
}

/// Streams of a flag, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamList {
    pub streams: Vec<StreamRow>,
    pub has_more: bool,
}

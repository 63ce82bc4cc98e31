//! Feeds, as a client reads and writes them: the events of a stream, a publish and the streams of a
//! flag.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};

use crate::bounds::{MAX_READERS, MAX_UNIT_BYTES};
use crate::schema::{self, Cursor, EventId, EventType, text};
use crate::words::words;

words! {
    /// Every verified user.
    pub enum EveryReader {
        Verified = "verified",
    }
}

/// An event to publish.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent<'a> {
    #[schema(value_type = EventId)]
    pub id: &'a str,
    #[serde(rename = "type")]
    #[schema(value_type = EventType)]
    pub kind: &'a str,
    /// Any JSON, of at most 32768 bytes; sent as it was written.
    #[schema(value_type = Value)]
    pub data: &'a RawValue,
}

/// Who may read a stream from now on: these targeting keys, or every verified user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NewReaders {
    Every(EveryReader),
    Keys(Vec<String>),
}

/// Who may read a stream from now on.
fn new_readers_or_null() -> RefOr<Schema> {
    let key = text().min_length(Some(1)).max_length(Some(MAX_UNIT_BYTES));
    let keys = ArrayBuilder::new().items(key).max_items(Some(MAX_READERS));
    let says =
        "Replaces all readers: targeting keys, or every verified user. Left out, nothing changes.";
    OneOfBuilder::new()
        .description(Some(says))
        .item(text().enum_values(Some(EveryReader::ALL.map(EveryReader::as_str))))
        .item(keys)
        .item(ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null)))
        .into()
}

/// What a publish asks for, in at most 262144 bytes.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Publish, examples(json!({
    "readers": ["u-1"], "events": [{ "id": "e-1", "type": "build.started", "data": { "step": 1 } }],
})))]
pub struct PublishBody<'a> {
    /// Replaces all readers; left out, they stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, schema_with = new_readers_or_null)]
    pub readers: Option<NewReaders>,
    /// `true`: no event follows these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<bool>,
    #[serde(default)]
    #[schema(max_items = 100)]
    pub events: Vec<NewEvent<'a>>,
}

/// What became of a publish, once it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Published)]
pub struct PublishResult {
    /// The end of the stream.
    #[schema(value_type = Cursor)]
    pub cursor: String,
    /// How many events are new.
    pub accepted: u64,
    /// How many were known already.
    pub duplicates: u64,
}

/// What became of a stream that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Deleted)]
pub struct StreamDeleted {
    /// Whether there was one.
    pub existed: bool,
}

/// An event of a page.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct PageEvent {
    #[schema(value_type = EventId)]
    pub id: String,
    /// Where a reader is that has it.
    #[schema(value_type = Cursor)]
    pub cursor: String,
    #[serde(rename = "type")]
    #[schema(value_type = EventType)]
    pub kind: String,
    /// When it was committed, by the node's clock, as RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// JSON, as it was published.
    #[schema(value_type = Value)]
    pub data: Box<RawValue>,
}

/// The events behind a cursor; `E` is [`PageEvent`], or JSON as it was sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Page)]
pub struct EventPage<E> {
    #[schema(value_type = Vec<PageEvent>, max_items = 1_000)]
    pub events: Vec<E>,
    /// Where the next page begins.
    #[schema(value_type = Cursor)]
    pub cursor: String,
    /// Whether there are further events.
    pub has_more: bool,
    /// `true`: no event follows any more. Else it is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(schema_with = schema::only_true)]
    pub ended: bool,
}

/// How many users may read a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ReaderCount {
    Every(EveryReader),
    Listed(u64),
}

impl std::fmt::Display for ReaderCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReaderCount::Every(every) => every.fmt(f),
            ReaderCount::Listed(count) => count.fmt(f),
        }
    }
}

/// One stream in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Stream)]
pub struct StreamRow {
    #[schema(schema_with = schema::stream)]
    pub stream: String,
    /// How many events there ever were.
    pub head: u64,
    /// How many of them are kept.
    pub kept: u64,
    /// What it takes of TURNOUT_EVENTS_MAX_BYTES.
    pub bytes: u64,
    /// How many users may read it.
    pub readers: ReaderCount,
    pub ended: bool,
}

/// Streams of a flag, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Streams)]
pub struct StreamList {
    #[schema(max_items = 100)]
    pub streams: Vec<StreamRow>,
    /// Whether there are further ones: `after` is the last name here.
    pub has_more: bool,
}

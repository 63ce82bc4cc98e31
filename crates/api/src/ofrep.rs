//! The OpenFeature Remote Evaluation Protocol 0.3.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::schema::{self, FlagKey};
use crate::strategy::{Reason, Strategy};
use crate::words::words;

words! {
    /// OpenFeature's code of an error.
    pub enum ErrorCode {
        ParseError = "PARSE_ERROR",
        InvalidContext = "INVALID_CONTEXT",
        FlagNotFound = "FLAG_NOT_FOUND",
        General = "GENERAL",
        /// Of evaluations alone.
        TargetingKeyMissing = "TARGETING_KEY_MISSING",
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = OfrepRequest, examples(json!({ "context": { "targetingKey": "u-1", "platform": "web" } })))]
pub struct Request {
    #[schema(schema_with = schema::ofrep_context)]
    pub context: Context,
}

/// Who asks, and the attributes beside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targeting_key: Option<String>,
    #[serde(flatten)]
    pub attributes: Map<String, Value>,
}

/// The value of a flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = OfrepSuccess)]
pub struct Success {
    #[schema(value_type = FlagKey)]
    pub key: String,
    pub reason: Reason,
    pub value: Strategy,
    pub variant: Strategy,
    /// The strategy document, flat: `rule`, `validForMs`, `polling.startMs`, …; lists are comma
    /// separated.
    #[schema(value_type = BTreeMap<String, MetadataValue>)]
    pub metadata: Map<String, Value>,
}

/// What may stand in metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OfrepMetadataValue)]
pub enum MetadataValue {
    Text(String),
    Number(f64),
    Bool(bool),
}

/// A failure of one flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OfrepFailure)]
pub struct Failure {
    pub key: String,
    pub error_code: ErrorCode,
    pub error_details: String,
}

/// A failure of the whole request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OfrepRequestFailure)]
pub struct RequestFailure {
    pub error_code: ErrorCode,
    pub error_details: String,
    /// The flag, where one was asked for: it has then the form of a [`Failure`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub key: Option<String>,
}

/// The values of all flags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OfrepBulk)]
pub struct Bulk {
    /// In the order of keys; a failure of one flag never fails the others.
    pub flags: Vec<Evaluation>,
    /// Where to hear of changes.
    pub event_streams: Vec<EventStream>,
}

/// The value of a flag, or why it has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OfrepEvaluation)]
pub enum Evaluation {
    Success(Success),
    Failure(Failure),
}

words! {
    /// The protocol of a stream.
    pub enum EventStreamKind {
        Sse = "sse",
    }
}

/// A stream that says when to ask again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OfrepEventStream)]
pub struct EventStream {
    #[serde(rename = "type")]
    pub kind: EventStreamKind,
    pub endpoint: Endpoint,
}

/// An address without a host: it is the one that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OfrepEndpoint)]
pub struct Endpoint {
    pub request_uri: String,
}

words! {
    /// What an event asks for.
    pub enum OfrepEventKind {
        RefetchEvaluation = "refetchEvaluation",
    }
}

/// That the configuration is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OfrepEvent)]
pub struct Event {
    #[serde(rename = "type")]
    pub kind: OfrepEventKind,
    /// The configuration: `r213`.
    pub etag: String,
}

//! The schemas of feeds.

use serde_json::{Value as Json, json};

use super::schemas::schema_ref;
use crate::feeds::limits::{
    LIST_PAGE, MAX_CURSOR_BYTES, MAX_DATA_BYTES, MAX_EVENTS_OF_BODY, MAX_PAGE_EVENTS,
    MAX_PUBLISH_BYTES, MAX_READERS,
};
use crate::feeds::{EVENT_ID_PATTERN, STREAM_PATTERN, TYPE_PATTERN};
use crate::flag::MAX_UNIT_BYTES;

/// What polls get.
pub fn of_polls() -> Json {
    json!({
        "CursorProblem": {
            "description": "Problem details, with the cursor to go on from where one helps.",
            "type": "object",
            "properties": {
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "code": { "description": "Stable; go by this.", "type": "string" },
                "detail": { "description": "For people; never repeats what was sent.", "type": "string" },
                "cursor": schema_ref("Cursor"),
            },
            "required": ["title", "status", "code", "detail"],
        },
        "Cursor": {
            "description": "Where a reader is in a stream; opaque.",
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]+$",
            "maxLength": MAX_CURSOR_BYTES,
        },
        "EventId": {
            "description": "Printable ASCII; once in a stream.",
            "type": "string",
            "pattern": format!("^{EVENT_ID_PATTERN}$"),
        },
        "EventType": { "type": "string", "pattern": format!("^{TYPE_PATTERN}$") },
        "Event": {
            "type": "object",
            "properties": {
                "id": schema_ref("EventId"),
                "cursor": schema_ref("Cursor"),
                "type": schema_ref("EventType"),
                "at": { "description": "When it was committed, by the node's clock.", "type": "string", "format": "date-time" },
                "data": { "description": "As it was published." },
            },
            "required": ["id", "cursor", "type", "at", "data"],
        },
        "Page": {
            "type": "object",
            "properties": {
                "events": { "type": "array", "items": schema_ref("Event"), "maxItems": MAX_PAGE_EVENTS },
                "cursor": schema_ref("Cursor"),
                "hasMore": { "description": "Whether there are further events.", "type": "boolean" },
                "ended": { "description": "No event follows any more.", "const": true },
            },
            "required": ["events", "cursor", "hasMore"],
        },
    })
}

/// What realtime streams say.
pub fn of_realtime() -> Json {
    let kinds = ["strategy", "events", "up-to-date", "heartbeat", "reset", "goodbye"];
    json!({
        "RealtimeMessage": {
            "description": "What happened, by its `type`; ignore those you do not know. `strategy` has a `document`: leave once it is not \
                `realtime-v2`. `events` are taken whole; `up-to-date` says that there are no further ones now. `reset`: begin anew at `cursor`. \
                `goodbye`: the stream ends, or ends soon.",
            "type": "object",
            "properties": {
                "type": { "type": "string", "examples": kinds },
                "etag": { "description": "The tag of the document.", "type": "string" },
                "position": { "description": "What an acknowledgement names.", "type": "string" },
                "ackId": { "description": "In the first message: the name of this stream.", "type": "string" },
                "heartbeatMs": { "description": "In the first message: between two signs of life.", "type": "integer", "minimum": 0 },
                "document": schema_ref("StrategyDocument"),
                "events": { "type": "array", "items": schema_ref("Event") },
                "cursor": schema_ref("Cursor"),
                "hasMore": { "type": "boolean" },
                "time": { "description": "Milliseconds since 1970.", "type": "integer" },
                "reason": { "description": "Why the stream ends or is begun anew.", "type": "string" },
                "afterMs": { "description": "Come back after this long.", "type": "integer", "minimum": 0 },
            },
            "required": ["type"],
        },
    })
}

/// What publishers send and get.
pub fn of_publishers() -> Json {
    json!({
        "NewEvent": {
            "type": "object",
            "properties": {
                "id": schema_ref("EventId"),
                "type": schema_ref("EventType"),
                "data": { "description": format!("Any JSON, of at most {MAX_DATA_BYTES} bytes.") },
            },
            "required": ["id", "type", "data"],
            "additionalProperties": false,
        },
        "Publish": {
            "description": format!("At most {MAX_PUBLISH_BYTES} bytes."),
            "type": "object",
            "properties": {
                "readers": {
                    "description": "Replaces all readers: targeting keys, or every verified user. Left out, nothing changes.",
                    "oneOf": [
                        { "const": "verified" },
                        {
                            "type": "array", "maxItems": MAX_READERS,
                            "items": { "type": "string", "minLength": 1, "maxLength": MAX_UNIT_BYTES },
                        },
                        { "type": "null" },
                    ],
                },
                "ended": { "description": "`true`: no event follows these.", "type": ["boolean", "null"] },
                "events": { "type": "array", "items": schema_ref("NewEvent"), "maxItems": MAX_EVENTS_OF_BODY },
            },
            "additionalProperties": false,
            "examples": [{ "readers": ["u-1"], "events": [{ "id": "e-1", "type": "build.started", "data": { "step": 1 } }] }],
        },
        "Published": {
            "type": "object",
            "properties": {
                "cursor": schema_ref("Cursor"),
                "accepted": { "description": "How many events are new.", "type": "integer", "minimum": 0 },
                "duplicates": { "description": "How many were known already.", "type": "integer", "minimum": 0 },
            },
            "required": ["cursor", "accepted", "duplicates"],
        },
        "Deleted": {
            "type": "object",
            "properties": { "existed": { "description": "Whether there was one.", "type": "boolean" } },
            "required": ["existed"],
        },
        "Streams": {
            "type": "object",
            "properties": {
                "streams": { "type": "array", "items": schema_ref("Stream"), "maxItems": LIST_PAGE },
                "hasMore": { "description": "Whether there are further ones: `after` is the last name here.", "type": "boolean" },
            },
            "required": ["streams", "hasMore"],
        },
        "Stream": {
            "type": "object",
            "properties": {
                "stream": { "type": "string", "pattern": format!("^{STREAM_PATTERN}$") },
                "head": { "description": "How many events there ever were.", "type": "integer", "minimum": 0 },
                "kept": { "description": "How many of them are kept.", "type": "integer", "minimum": 0 },
                "bytes": { "description": "What it takes of TURNOUT_EVENTS_MAX_BYTES.", "type": "integer", "minimum": 0 },
                "readers": {
                    "description": "How many users may read it.",
                    "oneOf": [{ "type": "integer", "minimum": 0 }, { "const": "verified" }],
                },
                "ended": { "type": "boolean" },
            },
            "required": ["stream", "head", "kept", "bytes", "readers", "ended"],
        },
    })
}

//! The schemas of bodies and headers, from the constants the code uses.

use serde_json::{Value as Json, json};
use turnout_api::ofrep::ErrorCode;

use crate::flag::{FlagKey, MAX_ATTRIBUTES, MAX_UNIT_BYTES, RealtimeKind, Reason, Step, Strategy};
use crate::http::sse::CloseReason;

/// A reference to one of [`schemas`].
pub fn schema_ref(name: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// What a header says, and its schema.
pub fn header(name: &str) -> (&'static str, Json) {
    const POSITION: &str = r"^[0-9]+(\+[0-9]+)?$";
    match name {
        "ETag" => (
            "The strong tag of the body; send it as `If-None-Match` with the next question.",
            json!({ "type": "string" }),
        ),
        "Turnout-Revision" => (
            "The position the answer was made from: a revision, or `revision+n` with n entries pending.",
            json!({ "type": "string", "pattern": POSITION }),
        ),
        "Turnout-Flag-Revision" => (
            "The position at which this flag last changed.",
            json!({ "type": "string", "pattern": POSITION }),
        ),
        "Turnout-Error-Attribute" => (
            "The declared attribute that came as another type, where the rule is `error` for that; never its value.",
            json!({ "type": "string" }),
        ),
        "Turnout-Stale" => (
            "Seconds since the source of the flags could last be read; 0 while it can.",
            json!({ "type": "integer", "minimum": 0 }),
        ),
        "Turnout-Time" => (
            "The node's clock, in milliseconds since 1970.",
            json!({ "type": "integer", "minimum": 0 }),
        ),
        "Vary" => ("What the answer depends on.", json!({ "type": "string" })),
        "WWW-Authenticate" => ("How to say who one is.", json!({ "const": "Bearer" })),
        "Retry-After" => {
            ("Seconds after which to try again.", json!({ "type": "integer", "minimum": 1 }))
        }
        "RateLimit-Policy" => (
            "How many answers a user gets in a window of so many seconds, such as `\"feed\";q=60;w=60`; not for server keys.",
            json!({ "type": "string", "pattern": r#"^"[a-z]+";q=[0-9]+;w=[0-9]+$"# }),
        ),
        "RateLimit" => (
            "How many answers the user has left, and in how many seconds one more is free, such as `\"feed\";r=57;t=4`; not for server keys.",
            json!({ "type": "string", "pattern": r#"^"[a-z]+";r=[0-9]+;t=[0-9]+$"# }),
        ),
        "Allow" => ("The methods this address takes.", json!({ "type": "string" })),
        _ => ("", json!({})),
    }
}

/// Every schema by its name.
pub fn schemas() -> Json {
    json!({
        "FlagKey": { "type": "string", "pattern": format!("^{}$", FlagKey::PATTERN), "examples": ["build-events"] },
        "Strategy": {
            "description": "The transport a client uses for live updates.",
            "type": "string",
            "enum": Strategy::ALL.map(Strategy::as_str),
        },
        "Reason": { "description": "OpenFeature's reason.", "type": "string", "enum": Reason::ALL.map(Reason::as_str) },
        "Rule": { "description": "The step that decided.", "type": "string", "enum": Step::ALL.map(Step::as_str) },
        "TargetingKey": {
            "description": format!("Who asks: at most {MAX_UNIT_BYTES} bytes of UTF-8, taken as given. Empty and null are as good as none."),
            "type": ["string", "null"],
            "maxLength": MAX_UNIT_BYTES,
        },
        "Question": {
            "type": "object",
            "properties": {
                "targetingKey": schema_ref("TargetingKey"),
                "attributes": {
                    "description": "What the rules of flags may ask. Lists and objects are values no rule can ask for.",
                    "type": ["object", "null"],
                    "maxProperties": MAX_ATTRIBUTES,
                },
            },
            "additionalProperties": false,
            "examples": [{ "targetingKey": "u-1", "attributes": { "platform": "web" } }],
        },
        "StrategyDocument": strategy_document(),
        "StrategyDocuments": {
            "type": "object",
            "properties": {
                "flags": { "description": "In the order of keys.", "type": "array", "items": schema_ref("StrategyDocument") },
            },
            "required": ["flags"],
        },
        "Polling": polling(),
        "Realtime": realtime(),
        "Problem": {
            "description": "Problem details (RFC 9457).",
            "type": "object",
            "properties": {
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "code": { "description": "Stable; go by this.", "type": "string" },
                "detail": { "description": "For people; never repeats what was sent.", "type": "string" },
            },
            "required": ["title", "status", "code", "detail"],
        },
        "OfrepRequest": {
            "type": "object",
            "properties": { "context": {
                "type": "object",
                "properties": { "targetingKey": schema_ref("TargetingKey") },
                "additionalProperties": true,
                "maxProperties": MAX_ATTRIBUTES + 1,
            } },
            "required": ["context"],
            "examples": [{ "context": { "targetingKey": "u-1", "platform": "web" } }],
        },
        "OfrepSuccess": {
            "type": "object",
            "properties": {
                "key": schema_ref("FlagKey"),
                "reason": schema_ref("Reason"),
                "value": schema_ref("Strategy"),
                "variant": schema_ref("Strategy"),
                "metadata": {
                    "description": "The strategy document, flat: `rule`, `validForMs`, `polling.startMs`, …; lists are comma separated.",
                    "type": "object",
                    "additionalProperties": { "type": ["string", "number", "boolean"] },
                },
            },
            "required": ["key", "reason", "value", "variant", "metadata"],
        },
        "OfrepFailure": {
            "description": "A failure of one flag.",
            "type": "object",
            "properties": { "key": { "type": "string" }, "errorCode": error_code(), "errorDetails": { "type": "string" } },
            "required": ["key", "errorCode", "errorDetails"],
        },
        "OfrepRequestFailure": {
            "description": "A failure of the whole request.",
            "type": "object",
            "properties": { "errorCode": error_code(), "errorDetails": { "type": "string" } },
            "required": ["errorCode", "errorDetails"],
        },
        "OfrepBulk": {
            "type": "object",
            "properties": { "flags": {
                "description": "In the order of keys; a failure of one flag never fails the others.",
                "type": "array",
                "items": { "oneOf": [schema_ref("OfrepSuccess"), schema_ref("OfrepFailure")] },
            }, "eventStreams": {
                "description": "Where to hear of changes.",
                "type": "array",
                "items": { "type": "object", "properties": {
                    "type": { "const": "sse" },
                    "endpoint": { "type": "object", "properties": { "requestUri": { "type": "string" } }, "required": ["requestUri"] },
                }, "required": ["type", "endpoint"] },
            } },
            "required": ["flags", "eventStreams"],
        },
        "WatchEvent": watch_event(),
        "OfrepEvent": {
            "type": "object",
            "properties": { "type": { "const": "refetchEvaluation" }, "etag": { "description": "The configuration: `r213`.", "type": "string" } },
            "required": ["type", "etag"],
        },
        "Acknowledgement": {
            "type": "object",
            "properties": {
                "ackId": { "description": "The stream, from its first event.", "type": "string" },
                "position": { "description": "The id of the newest event that was heard.", "type": "string" },
            },
            "required": ["ackId", "position"],
            "additionalProperties": false,
        },
        "Health": { "type": "object", "properties": { "status": { "const": "ok" } }, "required": ["status"] },
        "Readiness": {
            "type": "object",
            "properties": {
                "status": { "type": "string", "enum": ["ready", "cold-start"] },
                "revision": { "type": "string" },
                "flags": count("Flags known."),
                "problems": count("What is wrong with the files; never makes it unready."),
            },
            "required": ["status", "revision", "flags", "problems"],
        },
    })
}

fn strategy_document() -> Json {
    json!({
        "description": "What a client goes by. Nothing in it is particular to the user, the moment or the revision. Members may be \
            added; ignore those you do not know.",
        "type": "object",
        "properties": {
            "flag": schema_ref("FlagKey"),
            "strategy": schema_ref("Strategy"),
            "reason": schema_ref("Reason"),
            "rule": schema_ref("Rule"),
            "validForMs": count("Ask again after this long."),
            "staleIfErrorMs": count("Keep the answer this long while asking fails."),
            "enterSpreadMs": count("Enter realtime after a wait of this long at most, by chance; leave it at once, and spread the first poll over this long."),
            "watch": object_of_watch(),
            "polling": schema_ref("Polling"),
            "realtime": schema_ref("Realtime"),
            "report": object_of_report(),
        },
        "required": [
            "flag", "strategy", "reason", "rule", "validForMs", "staleIfErrorMs", "enterSpreadMs", "watch", "polling", "report",
        ],
    })
}

fn object_of_watch() -> Json {
    json!({
        "description": "Where to hear that this document is another.",
        "type": "object",
        "properties": {
            "kind": { "const": "sse" },
            "url": { "description": "Takes the same body with POST, or a session token with GET.", "type": "string" },
            "ackUrl": { "description": "Where each event is acknowledged.", "type": "string" },
        },
        "required": ["kind", "url", "ackUrl"],
    })
}

fn object_of_report() -> Json {
    json!({
        "description": "Where a client with a session token reports how following went, and how often.",
        "type": "object",
        "properties": { "url": { "type": "string" }, "everyMs": count("Between two reports.") },
        "required": ["url", "everyMs"],
    })
}

fn watch_event() -> Json {
    let kinds = ["strategy", "strategies", "refetch", "heartbeat", "goodbye"];
    json!({
        "description": "What happened, by its `type`; ignore those you do not know. `strategy` has a `document`, `strategies` has `documents`. \
            `refetch`: the state is too large for an event; ask for it. `heartbeat`: by now you hold the document of this tag, or ask again. \
            `goodbye`: come back after `afterMs`.",
        "type": "object",
        "properties": {
            "type": { "type": "string", "examples": kinds },
            "etag": { "description": "The tag of the state.", "type": "string" },
            "ackId": { "description": "In the first event: the name of this stream.", "type": "string" },
            "heartbeatMs": count("In the first event: between two signs of life."),
            "document": schema_ref("StrategyDocument"),
            "documents": schema_ref("StrategyDocuments"),
            "reason": { "description": "Why the stream ends.", "type": "string", "examples": CloseReason::ALL.map(CloseReason::as_str) },
            "afterMs": count("Come back after this long."),
        },
        "required": ["type"],
    })
}

fn polling() -> Json {
    json!({
        "description": "How to poll; always there, as whatever fails a client polls.",
        "type": "object",
        "properties": {
            "url": { "description": "A template, if the flag names one.", "type": "string" },
            "startMs": count("The first wait between two polls."),
            "minMs": count("The shortest wait."),
            "maxMs": count("The longest wait."),
            "factor": { "description": "By how much an idle client's wait grows.", "type": "number", "minimum": 1, "maximum": 10 },
            "dedupeMs": count("How far apart two polls of a stream start at least."),
            "limit": { "description": "Events an answer carries at most.", "type": "integer", "minimum": 1 },
            "waitMs": count("How long a poll asks to be held until there is something."),
        },
        "required": ["startMs", "minMs", "maxMs", "factor", "dedupeMs", "limit", "waitMs"],
    })
}

fn realtime() -> Json {
    json!({
        "description": "How to connect; there when the strategy is `realtime-v2`.",
        "type": "object",
        "properties": {
            "kind": { "type": "string", "enum": RealtimeKind::ALL.map(RealtimeKind::as_str) },
            "url": { "description": "A template, if the flag names one.", "type": "string" },
            "tokenTtlMs": count("How long a token lives."),
            "tokenUrl": { "description": "Where a session is exchanged for a token.", "type": "string" },
            "retryMs": { "type": "array", "items": count("The wait before the next attempt to connect.") },
            "connectMs": count("How long a stream may take to say that it is live; one that takes longer counts as failed."),
            "fallbackMs": count("How long a client that gave realtime up polls before it tries again."),
        },
        "required": ["kind", "tokenUrl", "tokenTtlMs", "retryMs", "connectMs", "fallbackMs"],
    })
}

fn error_code() -> Json {
    json!({ "type": "string", "enum": ErrorCode::ALL.map(ErrorCode::as_str) })
}

pub fn count(says: &str) -> Json {
    json!({ "description": says, "type": "integer", "minimum": 0 })
}

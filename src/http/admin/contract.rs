//! What the admin listener promises, call by call.

use serde_json::{Value as Json, json};

use crate::http::contract::{Answers, Operation, of_refusals, shape};
use crate::http::error::Refusal;
use crate::token::Role;

pub const TITLE: &str = "Turnout, for operators";
pub const SAYS: &str = "Shows and changes what is live. Every call but `/healthz` takes `Authorization: Bearer` with a token whose role \
    permits it. What stops or lowers is never refused for what somebody else changed meanwhile.";

pub fn alive() -> Operation {
    Operation { answers: vec![found("It runs.", json!({ "type": "object" }))], ..look("adminAlive", "It runs") }
}

pub fn openapi() -> Operation {
    look("adminOpenapi", "This document")
}

pub fn metrics() -> Operation {
    let text = Answers {
        content: Some((super::metrics::OPENMETRICS, json!({ "type": "string" }))),
        ..found("OpenMetrics.", json!({}))
    };
    let mut operation = look("metrics", "Counters and gauges");
    operation.answers[0] = text;
    operation
}

pub fn problems_there_are() -> Operation {
    look("problems", "What is wrong at the moment, and the mend")
}

pub fn status() -> Operation {
    look("status", "How it stands: the database, then every flag")
}

pub fn flag() -> Operation {
    of_flag(look("flag", "One flag as it stands"), vec![Refusal::UnknownFlag])
}

pub fn explain() -> Operation {
    let refusals = vec![bad_order(), Refusal::body_too_large(), Refusal::body_too_slow(), Refusal::UnknownFlag];
    let mut operation = of_flag(look("explain", "The story of one answer"), refusals);
    let body = json!({
        "type": "object",
        "properties": {
            "targetingKey": { "type": ["string", "null"] },
            "attributes": { "type": ["object", "null"], "description": "As a client sends them." },
            "written": {
                "type": ["object", "null"], "additionalProperties": { "type": "string" },
                "description": "Attributes as texts, read as the types the flag declares.",
            },
            "identity": { "type": "string", "enum": ["verified", "server", "plain"], "default": "verified" },
            "bucket": { "type": ["integer", "null"], "minimum": 0, "maximum": 99_999, "description": "Pretend this bucket." },
        },
        "additionalProperties": false,
    });
    operation.body = Some(body);
    operation
}

pub fn set() -> Operation {
    verb(
        "set",
        "Hold a split over the file's",
        json!({
            "realtime-v2": share(), "disabled": share(), "forMs": time(), "then": share(),
        }),
    )
}

pub fn unset() -> Operation {
    verb("unset", "Back to what the file says; a stop stays", json!({}))
}

pub fn stop() -> Operation {
    verb("stop", "Emergency stop: everybody gets `when_stopped` until it is resumed", json!({}))
}

pub fn resume() -> Operation {
    verb("resume", "Lift a stop", json!({ "at": share() }))
}

pub fn rollback() -> Operation {
    verb("rollback", "Undo the newest change, or bring back a revision", json!({ "to": { "type": "integer", "minimum": 1 } }))
}

pub fn stop_all() -> Operation {
    let mut operation = verb("stopAll", "Emergency stop of every flag", json!({}));
    operation.parameters.retain(|parameter| parameter["in"] != "path");
    operation
}

pub fn history() -> Operation {
    let number = |name: &str, says: &str| json!({ "name": name, "in": "query", "required": false, "description": says, "schema": { "type": "integer", "minimum": 0 } });
    let flag = json!({ "name": "flag", "in": "query", "required": false, "description": "Only what changed this flag.", "schema": shape("FlagKey") });
    let mut operation = with(look("history", "Revisions, the newest first"), vec![bad_order(), Refusal::down()]);
    operation.parameters = vec![
        flag,
        number("before", "Only older ones."),
        number("after", "Only newer ones."),
        number("limit", "How many at most."),
    ];
    operation
}

pub fn verify() -> Operation {
    with(look("verifyHistory", "Whether any row was altered"), vec![Refusal::down()])
}

pub fn tokens() -> Operation {
    look("tokens", "The credentials there are, without their secrets")
}

pub fn create_token() -> Operation {
    let body = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": super::tokens::MAX_NAME_BYTES },
            "role": { "type": "string", "enum": Role::ALL.map(Role::as_str) },
            "flags": { "type": ["array", "null"], "items": shape("FlagKey") },
            "expiresAfterMs": { "type": ["integer", "null"], "minimum": 1 },
        },
        "required": ["name", "role"],
        "additionalProperties": false,
    });
    let mut operation = with(look("createToken", "Make a credential; its secret is shown once"), changing());
    operation.answers[0].status = 201;
    operation.body = Some(body);
    operation
}

pub fn revoke_token() -> Operation {
    let mut refusals = changing();
    refusals.push(Refusal::UnknownToken);
    let mut operation = with(look("revokeToken", "Revoke a credential"), refusals);
    operation.parameters = vec![json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } })];
    operation
}

/// A call that shows something.
fn look(id: &'static str, summary: &'static str) -> Operation {
    with(
        Operation {
            id,
            summary,
            says: "",
            parameters: Vec::new(),
            body: None,
            answers: vec![found("As asked.", json!({ "type": "object" }))],
        },
        vec![Refusal::WrongHost, Refusal::NoToken, Refusal::NotPermitted(Role::Viewer), Refusal::NoSuchMethod],
    )
}

/// A call that changes a flag.
fn verb(id: &'static str, summary: &'static str, more: Json) -> Operation {
    let mut properties = json!({
        "reason": { "type": ["string", "null"], "maxLength": super::orders::MAX_REASON_BYTES },
        "expectedRevision": { "type": ["integer", "null"], "minimum": 0 },
    });
    if let (Json::Object(all), Json::Object(more)) = (&mut properties, more) {
        all.extend(more);
    }
    let mut refusals = changing();
    refusals.extend([Refusal::UnknownFlag, Refusal::OtherFlags]);
    refusals.extend(Refusal::of_orders());
    let mut operation = of_flag(with(look(id, summary), refusals), Vec::new());
    let pending = Answers { status: 202, ..found("Live, and not yet in the database.", json!({ "type": "object" })) };
    operation.answers.insert(1, pending);
    let key = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A name for this request: sent again under it, it is done once.",
        "schema": { "type": "string", "minLength": 1, "maxLength": super::orders::MAX_KEY_BYTES },
    });
    let narrow_only = json!({
        "name": "Turnout-Narrow-Only", "in": "header", "required": false,
        "description": "Of any value: what would widen is refused as `may-only-narrow`, whatever the role.",
        "schema": { "type": "string" },
    });
    operation.parameters.extend([key, narrow_only]);
    operation.body = Some(json!({ "type": "object", "properties": properties, "additionalProperties": false }));
    operation
}

fn of_flag(operation: Operation, refusals: Vec<Refusal>) -> Operation {
    let mut operation = with(operation, refusals);
    operation.parameters.push(json!({ "name": "flag", "in": "path", "required": true, "schema": shape("FlagKey") }));
    operation
}

fn with(mut operation: Operation, refusals: Vec<Refusal>) -> Operation {
    let mut codes: Vec<Refusal> = refusals;
    codes.extend(operation.answers.iter().filter(|answers| answers.status >= 400).flat_map(|_| Vec::new()));
    let known: Vec<u16> = operation.answers.iter().map(|answers| answers.status).collect();
    operation.answers.extend(of_refusals(&codes).into_iter().filter(|answers| !known.contains(&answers.status)));
    operation
}

fn changing() -> Vec<Refusal> {
    vec![bad_order(), Refusal::body_too_large(), Refusal::body_too_slow(), Refusal::down(), Refusal::no_space()]
}

fn bad_order() -> Refusal {
    Refusal::BadOrder(String::new())
}

fn found(says: &str, schema: Json) -> Answers {
    Answers {
        status: 200,
        says: says.to_owned(),
        headers: vec![("Turnout-Revision", true)],
        content: Some(("application/json", schema)),
    }
}

fn share() -> Json {
    json!({ "type": ["string", "null"], "pattern": r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,3})?%$", "examples": ["12.5%"] })
}

fn time() -> Json {
    json!({ "type": ["integer", "null"], "minimum": 1 })
}

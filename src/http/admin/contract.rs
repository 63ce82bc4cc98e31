//! What the admin listener promises, call by call.

use std::time::Duration;

use serde_json::{Value as Json, json};
use turnout_api::bounds::{MAX_HELD_MS, MAX_KEY_BYTES, MAX_REASON_BYTES};

use super::errors::{ErrorProfile, no_room_for_a_token, without_a_database};
use super::history::MAX_PAGE;
use super::tokens::MAX_EXPIRES_AFTER_MS;
use crate::auth::{MAX_NONCE_BYTES, MIN_NONCE_BYTES, TokenId};
use crate::flag::MAX_UNIT_BYTES;
use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::openapi::{Operation, RequestBody, ResponseSpec, of_refusals, schema_ref};
use crate::http::public::{feed_contract as public, issuer_contract as sessions};
use crate::http::server::TooSlow;
use crate::ledger::{MAX_NAME_BYTES, Role};

pub const TITLE: &str = "Turnout, for operators";
pub const SAYS: &str = "Shows and changes what is live. Every call but `/healthz` and `/v1/hello` takes `Authorization: Bearer` with a token whose role \
    permits it. What stops or lowers is never refused for what another caller changed meanwhile.";

/// How a caller authenticates.
pub fn credentials() -> Json {
    json!({ "token": { "type": "http", "scheme": "bearer", "description": "A token of `turnout token create`, or the data folder's own." } })
}

pub fn alive() -> Operation {
    call(
        "adminAlive",
        "It runs",
        found("It runs.", "Health"),
        vec![ApiError::WrongHost, ApiError::NoSuchMethod],
    )
}

pub fn hello() -> Operation {
    let mut refusals = with_a_body();
    refusals.extend([ApiError::WrongHost, ApiError::NoToken, ApiError::NoSuchMethod]);
    let mut operation = call(
        "hello",
        "The server shows that it knows a token",
        found("It does.", "Hello"),
        refusals,
    );
    operation.says = "For a caller over plain http that has not sent its token yet: a program that took the port cannot answer.";
    operation.takes = RequestBody::Body(json!({
        "type": "object",
        "properties": {
            "nonce": line(json!("string"), MIN_NONCE_BYTES, MAX_NONCE_BYTES),
            "token": {
                "description": "The first hex digits of the token's SHA-256.",
                "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", TokenId::DIGITS),
            },
        },
        "required": ["nonce", "token"],
        "additionalProperties": false,
    }));
    operation
}

pub fn openapi() -> Operation {
    let document = ResponseSpec {
        content: Some(("application/json", json!({ "type": "object" }))),
        ..found("The document.", "")
    };
    reading("adminOpenapi", "This document", document, vec![])
}

pub fn metrics() -> Operation {
    let content = Some((crate::telemetry::metrics::OPENMETRICS, json!({ "type": "string" })));
    reading(
        "metrics",
        "Counters and gauges",
        ResponseSpec { content, ..found("OpenMetrics.", "") },
        vec![],
    )
}

pub fn problems_there_are() -> Operation {
    reading(
        "problems",
        "What is wrong at the moment, and the fix",
        found("The problems; none is an empty list.", "Problems"),
        vec![],
    )
}

pub fn status() -> Operation {
    reading(
        "status",
        "How it stands: the database, then every flag",
        found("How it stands.", "Status"),
        vec![],
    )
}

pub fn flag() -> Operation {
    let mut operation = reading(
        "flag",
        "One flag as it stands",
        found("The flag.", "FlagState"),
        vec![ApiError::UnknownFlag],
    );
    operation.parameters = vec![flag_in_path()];
    operation
}

pub fn convergence() -> Operation {
    let mut operation = reading(
        "convergence",
        "How far the newest change of a flag has landed",
        found("The streams that follow it, by what they prove.", "Convergence"),
        vec![ApiError::UnknownFlag],
    );
    operation.parameters = vec![flag_in_path()];
    operation
}

pub fn convergence_of_all() -> Operation {
    reading(
        "convergenceOfAll",
        "How far the newest state of everything has landed",
        found("All streams, each judged by the newest state of what it follows.", "Convergence"),
        vec![],
    )
}

pub fn explain() -> Operation {
    let mut refusals = with_a_body();
    refusals.push(ApiError::UnknownFlag);
    let mut operation = reading(
        "explain",
        "The story of one answer",
        found("Every step of it.", "Story"),
        refusals,
    );
    operation.parameters = vec![flag_in_path()];
    operation.takes = RequestBody::PerhapsBody(json!({
        "type": "object",
        "properties": {
            "targetingKey": { "type": ["string", "null"], "maxLength": MAX_UNIT_BYTES },
            "attributes": { "type": ["object", "null"], "description": "As a client sends them." },
            "textAttributes": {
                "type": ["object", "null"], "additionalProperties": { "type": "string" },
                "description": "Attributes as texts, read as the types the flag declares.",
            },
            "identity": { "type": ["string", "null"], "enum": ["verified", "server", "plain", null], "default": "verified" },
            "bucket": { "type": ["integer", "null"], "minimum": 0, "maximum": 99_999, "description": "Pretend this bucket." },
        },
        "additionalProperties": false,
    }));
    operation
}

pub fn set() -> Operation {
    let members = json!({ "realtime-v2": share(), "disabled": share(), "forMs": time(MAX_HELD_MS), "then": share() });
    let may = ErrorProfile { split: true, widen: true, ..ErrorProfile::ONLY_NARROW };
    let mut operation = verb("set", "Hold a split over the file's", members, may);
    if let RequestBody::PerhapsBody(schema) = operation.takes {
        operation.takes = RequestBody::Body(schema);
    }
    operation
}

pub fn unset() -> Operation {
    verb(
        "unset",
        "Back to what the file says; a stop stays",
        json!({}),
        ErrorProfile { widen: true, ..ErrorProfile::ONLY_NARROW },
    )
}

pub fn stop() -> Operation {
    verb(
        "stop",
        "Emergency stop: everybody gets `when_stopped` until it is resumed",
        json!({}),
        ErrorProfile::ONLY_NARROW,
    )
}

pub fn resume() -> Operation {
    let may = ErrorProfile { split: true, widen: true, resume: true, ..ErrorProfile::ONLY_NARROW };
    let mut operation = verb("resume", "Lift a stop", json!({ "at": share() }), may);
    // A resume is never pending: it takes effect only once it is saved.
    operation.answers.retain(|answers| answers.status != 202);
    operation
}

pub fn rollback() -> Operation {
    let members = json!({ "to": { "type": ["integer", "null"], "minimum": 1 } });
    let may = ErrorProfile { widen: true, roll_back: true, ..ErrorProfile::ONLY_NARROW };
    verb("rollback", "Undo the newest change, or bring back a revision", members, may)
}

pub fn stop_all() -> Operation {
    change(
        "stopAll",
        "Emergency stop of every flag",
        json!({}),
        ErrorProfile::ONLY_NARROW.be_rejected(false),
    )
}

pub fn poll() -> Operation {
    let mut refusals = public::poll_refusals();
    refusals.extend([ApiError::UnknownFlag, ApiError::EventsUnavailable]);
    let mut operation = reading(
        "adminPoll",
        "The events of a stream behind a cursor, as its readers see them",
        found("A page of events.", "Page"),
        refusals,
    );
    operation.parameters = public::poll_parameters();
    operation
}

pub fn publish() -> Operation {
    let mut refusals = public::publish_refusals();
    refusals.extend([ApiError::OtherFlags, ApiError::UnknownFlag, ApiError::EventsUnavailable]);
    let mut operation = look(
        "adminPublish",
        "Append events to a stream, whole or not at all",
        found("Durable, or known already.", "Published"),
        refusals,
    );
    operation.parameters = vec![flag_in_path(), public::stream_in_path()];
    operation.taking(schema_ref("Publish"))
}

pub fn delete_stream() -> Operation {
    let mut operation = look(
        "adminDeleteStream",
        "Remove a stream and its events",
        found("It is gone.", "Deleted"),
        vec![ApiError::OtherFlags, ApiError::UnknownFlag, ApiError::EventsUnavailable],
    );
    operation.parameters = vec![flag_in_path(), public::stream_in_path()];
    operation
}

pub fn list_streams() -> Operation {
    let mut operation = reading(
        "adminListStreams",
        "The streams of a flag",
        found("Up to a hundred streams.", "Streams"),
        vec![ApiError::UnknownFlag, invalid_request(), ApiError::EventsUnavailable],
    );
    operation.parameters = vec![
        flag_in_path(),
        in_query("after", "The last name of the page before.", json!({ "type": "string" })),
    ];
    operation
}

pub fn history() -> Operation {
    let number = |name: &str, says: &str, bounds: Json| {
        let mut schema = json!({ "type": "integer" });
        if let (Json::Object(schema), Json::Object(bounds)) = (&mut schema, bounds) {
            schema.extend(bounds);
        }
        in_query(name, says, schema)
    };
    let mut refusals = vec![invalid_request()];
    refusals.extend(without_a_database());
    let mut operation = reading(
        "history",
        "Revisions, the newest first",
        found("A page of them.", "History"),
        refusals,
    );
    operation.parameters = vec![
        in_query("flag", "Only what changed this flag.", schema_ref("FlagKey")),
        number("before", "Only older ones.", json!({ "minimum": 0 })),
        number("after", "Only newer ones.", json!({ "minimum": 0 })),
        number("limit", "How many at most.", json!({ "minimum": 1, "maximum": MAX_PAGE })),
    ];
    operation
}

pub fn verify() -> Operation {
    look(
        "verifyHistory",
        "Whether any row was altered",
        found("What reading every row came to.", "Verdict"),
        without_a_database(),
    )
}

pub fn tokens() -> Operation {
    reading(
        "tokens",
        "The credentials there are, without their secrets",
        found("All of them.", "Tokens"),
        vec![ApiError::OtherFlags],
    )
}

pub fn create_token() -> Operation {
    let made = ResponseSpec {
        status: 201,
        ..found("The credential, with its secret for this once.", "NewToken")
    };
    let mut refusals = with_a_body();
    refusals.extend(without_a_database());
    refusals.extend(no_room_for_a_token());
    refusals.extend([ApiError::OtherFlags, ApiError::NoRandomness]);
    let mut operation =
        look("createToken", "Make a credential; its secret is shown once", made, refusals);
    operation.says = "`flags` limits what a stopper or an operator may change. No two living tokens have one name, in whatever case.";
    operation.takes = RequestBody::Body(json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES, "pattern": "^[A-Za-z0-9._-]+$" },
            "role": { "type": "string", "enum": Role::ALL.map(Role::as_str) },
            "flags": { "type": ["array", "null"], "items": schema_ref("FlagKey") },
            "expiresAfterMs": time(MAX_EXPIRES_AFTER_MS),
            "reason": line(json!(["string", "null"]), 0, MAX_REASON_BYTES),
        },
        "required": ["name", "role"],
        "additionalProperties": false,
        "examples": [{ "name": "oncall", "role": "stopper" }],
    }));
    operation
}

pub fn revoke_token() -> Operation {
    let mut refusals = with_a_body();
    refusals.extend([ApiError::UnknownToken]);
    let mut operation = look(
        "revokeToken",
        "Revoke a credential",
        found("It is no longer good.", "Revoked"),
        refusals,
    );
    operation.says = "Everybody may revoke the credential they show (`self`, or its id); those of others take an admin. It narrows: it is live \
        at once, also with the database away.";
    let live = found("It is no longer good, and that is not yet in the database.", "Revoked");
    operation.answers.insert(1, ResponseSpec { status: 202, ..live });
    let named = "The credential's id, the name of a living one, `self`, or `local-admin` for the data folder's own.";
    operation.parameters = vec![in_path("id", named, json!({ "type": "string" }))];
    operation.takes = RequestBody::PerhapsBody(json!({
        "type": "object",
        "properties": { "reason": line(json!(["string", "null"]), 0, MAX_REASON_BYTES) },
        "additionalProperties": false,
    }));
    operation
}

/// A call, with its one successful response.
fn call(
    id: &'static str,
    summary: &'static str,
    good: ResponseSpec,
    refusals: Vec<ApiError>,
) -> Operation {
    let mut answers = vec![good];
    answers.extend(of_refusals(&refusals));
    Operation {
        id,
        summary,
        says: "",
        parameters: Vec::new(),
        takes: RequestBody::Nothing,
        answers,
    }
}

/// A call that takes a token.
fn look(
    id: &'static str,
    summary: &'static str,
    good: ResponseSpec,
    more: Vec<ApiError>,
) -> Operation {
    let mut refusals = vec![
        ApiError::WrongHost,
        ApiError::NoToken,
        ApiError::NotPermitted(Role::Viewer),
        ApiError::NoSuchMethod,
    ];
    refusals.extend(more);
    call(id, summary, good, refusals)
}

/// A call that waits for its turn among those that only read.
fn reading(
    id: &'static str,
    summary: &'static str,
    good: ResponseSpec,
    mut more: Vec<ApiError>,
) -> Operation {
    more.push(ApiError::Busy);
    look(id, summary, good, more)
}

/// A call that changes one flag.
fn verb(id: &'static str, summary: &'static str, members: Json, may: ErrorProfile) -> Operation {
    let mut operation = change(id, summary, members, may.be_rejected(true));
    operation.parameters.insert(0, flag_in_path());
    operation
}

/// A call that changes flags.
fn change(
    id: &'static str,
    summary: &'static str,
    members: Json,
    rejected: Vec<ApiError>,
) -> Operation {
    let mut refusals = with_a_body();
    refusals.push(ApiError::OtherFlags);
    refusals.extend(rejected);
    let mut operation =
        look(id, summary, found("Done, or as it was wanted already.", "Outcome"), refusals);
    operation.answers.insert(
        1,
        ResponseSpec { status: 202, ..found("Live, and not yet in the database.", "Outcome") },
    );
    let key = json!({ "type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES, "pattern": "^[ -~]+$" });
    operation.parameters = vec![json!({
        "name": "Idempotency-Key", "in": "header", "required": false, "schema": key,
        "description": "A name for this request: sent again under it, it is done once.",
    })];
    operation.parameters.push(json!({
        "name": "Turnout-Narrow-Only", "in": "header", "required": false, "schema": { "type": "string" },
        "description": "Of any value: what would widen is refused as `may-only-narrow`, whatever the role.",
    }));
    let mut properties = json!({
        "reason": line(json!(["string", "null"]), 0, MAX_REASON_BYTES),
        "expectedRevision": {
            "description": "The revision the caller looked at: what widens is refused if the flag changed after it.",
            "type": ["integer", "null"], "minimum": 0,
        },
    });
    if let (Json::Object(all), Json::Object(members)) = (&mut properties, members) {
        all.extend(members);
    }
    operation.takes = RequestBody::PerhapsBody(
        json!({ "type": "object", "properties": properties, "additionalProperties": false }),
    );
    operation
}

/// What any call with a body may be refused for.
fn with_a_body() -> Vec<ApiError> {
    vec![
        invalid_request(),
        BadRequest::TooLarge(String::new()).into(),
        BadRequest::TooSlow(TooSlow(Duration::ZERO)).into(),
    ]
}

fn invalid_request() -> ApiError {
    ApiError::InvalidRequest(String::new())
}

fn found(says: &str, name: &str) -> ResponseSpec {
    let content = Some(("application/json", schema_ref(name)));
    ResponseSpec {
        status: 200,
        says: says.to_owned(),
        headers: vec![("Turnout-Revision", true)],
        content,
    }
}

fn flag_in_path() -> Json {
    in_path("flag", "The flag's key.", schema_ref("FlagKey"))
}

fn in_path(name: &str, says: &str, schema: Json) -> Json {
    json!({ "name": name, "in": "path", "required": true, "description": says, "schema": schema })
}

fn in_query(name: &str, says: &str, schema: Json) -> Json {
    json!({ "name": name, "in": "query", "required": false, "description": says, "schema": schema })
}

/// One line of text; its length is counted in bytes, which a JSON Schema cannot express.
fn line(kind: Json, at_least: usize, at_most: usize) -> Json {
    let says = format!("One line of at most {at_most} bytes of UTF-8.");
    json!({ "description": says, "type": kind, "minLength": at_least, "maxLength": at_most })
}

fn share() -> Json {
    let written = r"^((0|[1-9][0-9]?)(\.[0-9]{1,3})?|100(\.0{1,3})?)%$";
    json!({ "type": ["string", "null"], "pattern": written, "examples": ["12.5%"] })
}

fn time(at_most: i64) -> Json {
    json!({ "type": ["integer", "null"], "minimum": 1, "maximum": at_most })
}

pub fn keys() -> Operation {
    look(
        "keys",
        "The keys that sessions and tokens are signed with",
        found("The keys, in the order in which they sign.", "Keys"),
        vec![ApiError::Busy],
    )
}

pub fn rotate_keys() -> Operation {
    let mut refusals = with_a_body();
    refusals.extend([ApiError::TooManyKeys, ApiError::IssuerUnavailable, ApiError::NoRandomness]);
    let done = found("The new key is published; it signs in 20 minutes.", "KeysChanged");
    let mut operation = look("rotateKeys", "Make a new key", done, refusals);
    operation.says = "The key before it is believed for 25 hours after it signed last.";
    operation.takes = RequestBody::PerhapsBody(schema_ref("ChangeKeys"));
    operation
}

pub fn revoke_key() -> Operation {
    let mut refusals = with_a_body();
    refusals.extend([ApiError::NoSuchKey, ApiError::IssuerUnavailable]);
    let done = found("What it signed is no longer accepted.", "KeysChanged");
    let mut operation = look("revokeKey", "Stop believing a key", done, refusals);
    operation.says = "At once, and also with the database away; streams that its tokens opened end. Where no key is left, a new one is made.";
    let live = found(
        "What it signed is no longer accepted, and that is not written down yet.",
        "KeysChanged",
    );
    operation.answers.insert(1, ResponseSpec { status: 202, ..live });
    operation.parameters = vec![in_path("id", "The key's id.", json!({ "type": "string" }))];
    operation.takes = RequestBody::PerhapsBody(schema_ref("ChangeKeys"));
    operation
}

pub fn create_session() -> Operation {
    let mut refusals = sessions::session_refusals();
    refusals.push(ApiError::OtherFlags);
    let mut operation =
        look("createSession", "A session for a user", found("The session.", "Session"), refusals);
    operation.says = "For trying things: the same as on the public listener.";
    operation.takes = RequestBody::Body(schema_ref("NewSession"));
    operation
}

pub fn revoke_sessions() -> Operation {
    let mut refusals = sessions::session_refusals();
    refusals.retain(|refusal| !matches!(refusal, ApiError::IssuerUnavailable));
    refusals.push(ApiError::OtherFlags);
    let done = found("They are refused.", "SessionsRevoked");
    let mut operation =
        look("revokeSessions", "Refuse whatever was issued to a user until now", done, refusals);
    operation.says = "The same as on the public listener. Works with the database away.";
    let live = found(
        "They are refused, and that is not durable: it is written as soon as the disk takes it.",
        "SessionsRevoked",
    );
    operation.answers.insert(1, ResponseSpec { status: 202, ..live });
    operation.takes = RequestBody::Body(schema_ref("RevokeSessions"));
    operation
}

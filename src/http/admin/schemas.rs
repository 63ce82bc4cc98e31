//! The schemas of the admin listener's responses.

use serde_json::{Value as Json, json};

use crate::flag::Strategy;
use crate::http::openapi::schema_ref;
use crate::http::openapi::schemas::count;
use crate::ledger::Role;

/// Every schema by its name. A member that may be missing is `null`, never left out.
pub fn shapes() -> Json {
    json!({
        "Share": { "description": "A share of the buckets.", "type": "string", "examples": ["12.5%"] },
        "Split": object(json!({ "realtime-v2": schema_ref("Share"), "disabled": schema_ref("Share") })),
        "Mark": object(mark()),
        "Hello": object(json!({
            "address": { "description": "Where the server listens.", "type": "string" },
            "proof": {
                "description": "HMAC-SHA256 in hex; the key is the token's SHA-256 as hex digits, and what is signed are \
                    `turnout-server-proof-1`, the length of `nonce` as eight bytes, `nonce` and `address`.",
                "type": "string", "pattern": "^[0-9a-f]{64}$",
            },
        })),
        "FlagState": flag_state(),
        "Database": object(json!({
            "state": { "type": "string", "enum": ["up", "down", "held"] },
            "why": maybe("string"),
            "sinceMs": maybe("integer"),
        })),
        "Status": object(json!({
            "revision": count("The newest revision known."),
            "position": position(),
            "pending": count("Changes that are live and not yet in the database."),
            "database": schema_ref("Database"),
            "problems": count("How many there are."),
            "serverAuth": { "description": "Whether server-auth mode answers `polling` for every `realtime-v2`, whatever flags say.", "type": "boolean" },
            "streams": object(json!({ "open": count("How many are open."), "limit": count("How many there may be.") })),
            "flags": { "description": "In the order of keys.", "type": "array", "items": schema_ref("FlagState") },
        })),
        "StreamCounts": object(json!({
            "open": count("Streams that follow it."),
            "confirmed": count("Their client acknowledged what it was sent."),
            "notNeeded": count("Their client's document did not change, and it answered the last heartbeat."),
            "told": count("Written to, and their client has never acknowledged anything."),
            "missing": count("None of these."),
            "ended": count("Realtime streams that the server closed, as their users' strategy is another now."),
        })),
        "Convergence": object(json!({
            "flag": maybe("string"),
            "position": position(),
            "liveAtMs": { "description": "When what is live went live; `null` if it was at the start.", "type": ["integer", "null"] },
            "streams": schema_ref("StreamCounts"),
            "reached": { "description": "How long after that so many of a hundred open streams were confirmed or not needed.", "allOf": [object(json!({
                "p50Ms": maybe("integer"), "p90Ms": maybe("integer"), "p99Ms": maybe("integer"),
            }))] },
            "missingSinceMs": maybe("integer"),
            "pollers": object(json!({
                "seen": count("Users who asked lately without a stream; an estimate."),
                "askedSince": count("How many of them asked since."),
            })),
        })),
        "Story": story(),
        "Outcome": outcome(),
        "Conflict": object(json!({
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "description": "Stable; go by this.", "type": "string" },
            "detail": { "description": "For people; never repeats what was sent.", "type": "string" },
            "since": { "description": "What was changed meanwhile, the newest first.", "type": "array", "items": schema_ref("Revision") },
        })),
        "Revision": revision(),
        "History": object(json!({
            "revisions": { "type": "array", "items": schema_ref("Revision") },
            "more": { "description": "Whether there are older ones that were asked for.", "type": "boolean" },
        })),
        "Verdict": object(json!({
            "sound": { "type": "boolean" },
            "revisions": count("How many were read."),
            "faults": { "description": "What is wrong, the oldest first.", "type": "array", "items": { "type": "string" } },
            "comparedWithRevision": maybe("integer"),
        })),
        "Problems": object(json!({
            "flags": { "description": "The flags folder, as it was named.", "type": "string" },
            "watch": { "type": "string", "enum": ["events", "polling"] },
            "position": position(),
            "problems": { "type": "array", "items": object(json!({
                "code": { "description": "Stable; go by this.", "type": "string" },
                "file": maybe("string"),
                "line": maybe("integer"),
                "column": maybe("integer"),
                "subject": maybe("string"),
                "message": { "type": "string" },
                "hint": maybe("string"),
                "sinceMs": { "description": "Since when, in milliseconds since 1970; it ends by itself when all is well.", "type": "integer" },
            })) },
        })),
        "Token": object(token()),
        "Tokens": object(json!({ "tokens": { "type": "array", "items": schema_ref("Token") } })),
        "NewToken": new_token(),
        "Revoked": object(json!({
            "revoked": { "description": "Its id; `local-admin` for the data folder's own.", "type": "string" },
            "outcome": { "type": "string", "enum": ["committed", "pending"] },
            "revision": { "description": "The revision it made; `null` where it made none, or none yet.", "type": ["integer", "null"] },
            "survivesRestart": { "type": "boolean" },
        })),
    })
}

fn flag_state() -> Json {
    let mut held = mark();
    held["split"] = schema_ref("Split");
    held["ends"] = or_null(object(json!({
        "atMs": { "type": "integer" },
        "split": or_null(schema_ref("Split")),
        "named": { "description": "Whether it was named what comes then; only then may it widen.", "type": "boolean" },
    })));
    let mut pin = mark();
    pin["revision"] = count("The revision it was brought back from.");
    object(json!({
        "flag": schema_ref("FlagKey"),
        "revision": count("At which it, or a segment it names, last changed: what `expectedRevision` is compared with."),
        "state": { "type": "string", "enum": ["rollout", "stopped", "off", "no-definition"] },
        "live": { "description": "What is served, in a few words.", "type": "string" },
        "file": { "description": "What its file alone would serve.", "type": ["string", "null"] },
        "drift": { "description": "Whether an operator holds what the file says otherwise.", "type": "boolean" },
        "split": or_null(schema_ref("Split")),
        "fileSplit": or_null(schema_ref("Split")),
        "owner": maybe("string"),
        "clients": { "description": "Its open streams; `null` where they were not counted.", "oneOf": [schema_ref("StreamCounts"), { "type": "null" }] },
        "stop": or_null(schema_ref("Mark")),
        "held": or_null(object(held)),
        "pin": or_null(object(pin)),
    }))
}

fn outcome() -> Json {
    object(json!({
        "outcome": { "type": "string", "enum": ["committed", "pending", "unchanged", "repeated"] },
        "revision": { "description": "The revision it made; `null` where it made none, or none yet.", "type": ["integer", "null"] },
        "position": position(),
        "survivesRestart": { "type": "boolean" },
        "inForce": { "description": "Whether what was asked for is so now; of a repeated order it may have been taken back since.", "type": "boolean" },
        "changes": { "type": "array", "items": object(json!({
            "flag": schema_ref("FlagKey"),
            "action": action(),
            "backTo": maybe("integer"),
            "was": maybe("string"),
            "wanted": { "type": "string" },
            "live": maybe("string"),
        })) },
        "flag": or_null(schema_ref("FlagState")),
        "notes": { "description": "What must not be overlooked.", "type": "array", "items": { "type": "string" } },
        "undo": { "description": "The command that undoes it.", "type": ["string", "null"] },
    }))
}

fn revision() -> Json {
    let mut revision = object(json!({
        "revision": count("Its number."),
        "committedAtMs": { "type": "integer" },
        "effectiveAtMs": { "description": "When it was first live.", "type": "integer" },
        "actor": { "type": "string" },
        "actorId": credential_id(),
        "origin": { "type": "string", "enum": ["file", "api", "expire", "accept", "upgrade"] },
        "reason": maybe("string"),
        "idempotencyKey": maybe("string"),
        "changes": { "type": "array", "items": object(json!({
            "kind": { "type": "string", "enum": ["flag", "segment", "credential"] },
            "key": { "type": "string" },
            "action": action(),
            "backTo": { "description": "The revision a rollback went back to.", "type": ["integer", "null"] },
            "was": maybe("string"),
            "is": maybe("string"),
        })) },
        "hash": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
    }));
    let more = "How many changes it has beside these, if any: the first hundred are told, and what was done to the flag that is asked about.";
    revision["properties"]["moreChanges"] = count(more);
    revision
}

fn story() -> Json {
    let strategies = Strategy::ALL.map(Strategy::as_str);
    object(json!({
        "flag": schema_ref("FlagKey"),
        "identity": { "description": "Who was assumed to vouch for the attributes.", "type": "string", "enum": ["verified", "server", "plain"] },
        "strategy": { "type": "string", "enum": strategies },
        "reason": { "description": "OpenFeature's reason.", "type": "string" },
        "rule": { "description": "The step that decided.", "type": "string" },
        "bucket": maybe("integer"),
        "hash": maybe("integer"),
        "salt": maybe("string"),
        "rollout": or_null(schema_ref("Split")),
        "default": maybe("string"),
        "steps": { "description": "In the order they were looked at.", "type": "array", "items": object(json!({
            "step": { "type": "string" },
            "entry": { "description": "Which entry of a list, from 1.", "type": ["integer", "null"] },
            "name": { "description": "A rule's name.", "type": ["string", "null"] },
            "result": { "type": "string", "enum": ["yes", "no", "missing", "error"] },
            "attributes": { "type": "array", "items": { "type": "string" } },
            "decided": { "description": "Whether the answer is this step's.", "type": "boolean" },
        })) },
        "notes": { "description": "What deserves a look in the attributes: names and values that the flag does not declare.", "type": "array", "items": { "type": "string" } },
        "position": position(),
        "stop": { "description": "Who stopped it." },
        "held": { "description": "Who holds its split." },
        "pin": { "description": "Who pinned its definition." },
    }))
}

fn mark() -> Json {
    json!({ "by": { "type": "string" }, "byId": credential_id(), "atMs": { "type": "integer" }, "reason": maybe("string") })
}

fn token() -> Json {
    json!({
        "id": { "type": "string" },
        "name": { "type": "string" },
        "role": { "type": "string", "enum": Role::ALL.map(Role::as_str) },
        "flags": { "description": "The flags it may change; `null` for all.", "type": ["array", "null"], "items": schema_ref("FlagKey") },
        "state": { "type": "string", "enum": ["good", "expired", "revoked"] },
        "createdAtMs": { "type": "integer" },
        "createdBy": { "type": "string" },
        "createdById": credential_id(),
        "expiresAtMs": maybe("integer"),
        "revokedAtMs": maybe("integer"),
        "revokedBy": maybe("string"),
        "revokedById": credential_id(),
    })
}

fn new_token() -> Json {
    let mut members = token();
    members["revision"] = count("The revision that made it.");
    members["secret"] = json!({ "description": "Shown this once.", "type": "string" });
    object(members)
}

/// Actions of revisions; more may be added.
fn action() -> Json {
    json!({ "description": "`set`, `unset`, `stop`, `resume`, `rollback`, `define`, `expire`, `remove`, `create` or `revoke`.", "type": "string" })
}

fn position() -> Json {
    json!({ "description": "A revision, or `revision+n` with n changes pending.", "type": "string" })
}

fn credential_id() -> Json {
    json!({ "description": "The id of the credential it was done with; `null` for the service itself and the data folder's own.", "type": ["string", "null"] })
}

fn maybe(kind: &str) -> Json {
    json!({ "type": [kind, "null"] })
}

fn or_null(schema: Json) -> Json {
    json!({ "oneOf": [schema, { "type": "null" }] })
}

/// An object that has all of these members.
fn object(properties: Json) -> Json {
    let names: Vec<String> =
        properties.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default();
    json!({ "type": "object", "properties": properties, "required": names })
}

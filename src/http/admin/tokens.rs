//! Credentials: made, listed and revoked. The secret is shown once, and only its hash is kept.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::answer::{json as answer, refuse};
use super::body::{Members, invalid_request};
use super::commands::MAX_REASON_BYTES;
use super::permissions::Permission;
use super::state::AdminState;
use crate::auth::{Caller, LOCAL_ADMIN, random_name, random_secret, token_names};
use crate::control::{AdminTokenEnd, CommandOutcome, CommandRejected};
use crate::flag::FlagKey;
use crate::http::error::ApiError;
use crate::ledger::{
    ContentHash, Credential, CredentialId, CredentialRecord, MAX_NAME_BYTES, Role,
};

const DAY_MS: i64 = 86_400_000;
/// The default lifetime.
const EXPIRES_AFTER_MS: i64 = 90 * DAY_MS;
/// The longest a credential may live.
pub const MAX_EXPIRES_AFTER_MS: i64 = 3_660 * DAY_MS;
/// The number of hexadecimal digits of an id.
const ID_DIGITS: usize = 12;

struct Wanted {
    name: String,
    role: Role,
    flags: Option<Vec<FlagKey>>,
    expires_after_ms: i64,
    reason: Option<String>,
}

pub async fn list(State(state): State<AdminState>) -> Response<Body> {
    let (known, now) =
        (state.coordinator.credentials().borrow().clone(), state.coordinator.clock().wall_ms());
    let shown = known.all().iter().filter(|credential| credential.record.is_shown(now));
    answer(
        &state,
        StatusCode::OK,
        &json!({ "tokens": shown.map(shown_at(now)).collect::<Vec<_>>() }),
    )
}

pub async fn create(
    State(state): State<AdminState>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response<Body> {
    match wanted(&body) {
        Ok(wanted) => make(&state, &caller, wanted).await,
        Err(refusal) => refuse(&state, &refusal),
    }
}

/// Revokes a credential. Every caller may revoke the one they show; those of others take the
/// permission to administer.
pub async fn revoke(
    State(state): State<AdminState>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    body: Bytes,
) -> Response<Body> {
    let reason = Members::read(&body, &["reason"])
        .and_then(|mut members| members.line("reason", MAX_REASON_BYTES));
    let reason = match reason {
        Ok(reason) => reason,
        Err(refusal) => return refuse(&state, &refusal),
    };
    let named = path.map(|Path(named)| named).unwrap_or_default();
    match find(&state, &caller, &named) {
        Ok(TokenMatch::LocalAdmin) => end_admin_token(&state).await,
        Ok(TokenMatch::Credential(id)) => end_credential(&state, id, &caller, reason).await,
        Err(refusal) => refuse(&state, &refusal),
    }
}

/// Which credential is to be revoked.
enum TokenMatch {
    LocalAdmin,
    Credential(CredentialId),
}

/// Finds a credential by its id, by the name of a living one, or by `self`.
fn find(state: &AdminState, caller: &Caller, named: &str) -> Result<TokenMatch, ApiError> {
    let own = caller.id.as_ref().map(ToString::to_string);
    if named == "self" || own.as_deref() == Some(named) {
        return Ok(caller.id.clone().map_or(TokenMatch::LocalAdmin, TokenMatch::Credential));
    }
    // A caller without permission gets the same error for every possible name.
    if !Permission::Admin.is_given_to(caller.role) {
        return Err(ApiError::NotPermitted(caller.role));
    }
    if caller.flags.is_some() {
        return Err(ApiError::OtherFlags);
    }
    if named.eq_ignore_ascii_case(LOCAL_ADMIN) || named == "admin.token" {
        return Ok(TokenMatch::LocalAdmin);
    }
    let (known, now) =
        (state.coordinator.credentials().borrow().clone(), state.coordinator.clock().wall_ms());
    if let Some(id) = named.parse().ok().filter(|id| known.get(id).is_some()) {
        return Ok(TokenMatch::Credential(id));
    }
    let mut of_name = known.living_named(named, now);
    match (of_name.next(), of_name.next()) {
        (Some(credential), None) => Ok(TokenMatch::Credential(credential.id.clone())),
        (None, _) => Err(ApiError::UnknownToken),
        (Some(_), Some(_)) => {
            Err(invalid_request("several living tokens have this name; say which by its id"))
        }
    }
}

async fn end_credential(
    state: &AdminState,
    id: CredentialId,
    caller: &Caller,
    reason: Option<String>,
) -> Response<Body> {
    let (coordinator, by, ended) = (state.coordinator.clone(), caller.actor(), id.clone());
    let done = state
        .on_command_thread(async move { coordinator.revoke_credential(&ended, by, reason).await })
        .await;
    match done.unwrap_or(Err(CommandRejected::Unknown)) {
        Ok(Some(done)) => revoked(state, id.as_str(), &done),
        Ok(None) => refuse(state, &ApiError::UnknownToken),
        Err(rejected) => refuse(state, &rejected.into()),
    }
}

fn revoked(state: &AdminState, id: &str, done: &CommandOutcome) -> Response<Body> {
    let (status, outcome, revision, survives) = match done {
        CommandOutcome::Committed { revision, .. } | CommandOutcome::Repeated { revision } => {
            (StatusCode::OK, "committed", Some(*revision), true)
        }
        CommandOutcome::Pending { survives_restart, .. } => {
            (StatusCode::ACCEPTED, "pending", None, *survives_restart)
        }
        CommandOutcome::Unchanged => (StatusCode::OK, "unchanged", None, true),
    };
    let body = json!({ "revoked": id, "outcome": outcome, "revision": revision, "survivesRestart": survives });
    answer(state, status, &body)
}

/// Ends the data folder's own token. No revision records that: the file is its node's alone.
async fn end_admin_token(state: &AdminState) -> Response<Body> {
    let coordinator = state.coordinator.clone();
    let ended = state.on_command_thread(async move { coordinator.end_admin_token().await }).await;
    let (status, survives) = match ended.unwrap_or(Err(CommandRejected::Unknown)) {
        Ok(AdminTokenEnd::Replaced) => (StatusCode::OK, true),
        Ok(AdminTokenEnd::InMemory) => (StatusCode::ACCEPTED, false),
        Err(rejected) => return refuse(state, &rejected.into()),
    };
    let outcome = if survives { "committed" } else { "pending" };
    let body = json!({ "revoked": LOCAL_ADMIN, "outcome": outcome, "revision": null, "survivesRestart": survives });
    answer(state, status, &body)
}

fn wanted(body: &[u8]) -> Result<Wanted, ApiError> {
    let mut members = Members::read(body, &["name", "role", "flags", "expiresAfterMs", "reason"])?;
    let name: Option<String> = members.take("name", "a text")?;
    let name =
        name.ok_or_else(|| invalid_request("a token needs a `name`, which the history will show"))?;
    check_name(&name)?;
    let roles = Role::ALL.map(Role::as_str).join(", ");
    let role = members.take("role", &format!("one of {roles}"))?;
    let role =
        role.ok_or_else(|| invalid_request(format!("a token needs a `role`: one of {roles}")))?;
    let flags = members.take("flags", "a list of flags' keys")?;
    if flags.is_some() && !matches!(role, Role::Stopper | Role::Operator) {
        return Err(invalid_request(
            "`flags` limits what a stopper or an operator may change; the other roles cannot be limited",
        ));
    }
    let expires_after_ms =
        members.take("expiresAfterMs", "a time in milliseconds")?.unwrap_or(EXPIRES_AFTER_MS);
    if !(1..=MAX_EXPIRES_AFTER_MS).contains(&expires_after_ms) {
        return Err(invalid_request("`expiresAfterMs` is a time from 1 ms to ten years"));
    }
    Ok(Wanted {
        name,
        role,
        flags,
        expires_after_ms,
        reason: members.line("reason", MAX_REASON_BYTES)?,
    })
}

/// Checks that a name cannot be mistaken for another one in the history, however it is written.
fn check_name(name: &str) -> Result<(), ApiError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) || !name.bytes().all(is_plain) {
        return Err(invalid_request(format!(
            "`name` is 1 to {MAX_NAME_BYTES} of the letters a to z, digits and . - _"
        )));
    }
    if let Some(own) = token_names::reserved(name) {
        return Err(invalid_request(format!(
            "`{name}` reads as `{own}`, which the history shows for Turnout itself; choose another `name`, as of a person or a program"
        )));
    }
    if name.len() == ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(invalid_request("this `name` looks like the id of a token; choose another"));
    }
    Ok(())
}

async fn make(state: &AdminState, caller: &Caller, wanted: Wanted) -> Response<Body> {
    let secret = random_secret();
    let id = random_name().and_then(|name| name.get(..ID_DIGITS)?.parse::<CredentialId>().ok());
    let (Some(id), Some(secret)) = (id, secret) else {
        return refuse(state, &ApiError::NoRandomness);
    };
    // A prefix that distinguishes the secret at sight from every other secret a person may have.
    let secret = format!("turnout-{}-{secret}", wanted.role);
    let now = state.coordinator.clock().wall_ms();
    let record = CredentialRecord {
        name: wanted.name,
        role: wanted.role,
        flags: wanted.flags.map(|flags| flags.iter().map(ToString::to_string).collect()),
        hash: ContentHash::of(secret.as_bytes()),
        created_at_ms: now,
        created_by: caller.actor(),
        expires_at_ms: Some(now + wanted.expires_after_ms),
        revoked_at_ms: None,
        revoked_by: None,
        revoked_by_id: None,
        unknown: Default::default(),
    };
    let credential = Credential { id, record };
    let (coordinator, made) = (state.coordinator.clone(), credential.clone());
    let done = state
        .on_command_thread(async move { coordinator.make_credential(made, wanted.reason).await })
        .await;
    match done.unwrap_or(Err(CommandRejected::Unknown)) {
        Ok(revision) => {
            let mut body = shown_at(now)(&credential);
            (body["secret"], body["revision"]) = (secret.into(), revision.into());
            answer(state, StatusCode::CREATED, &body)
        }
        Err(rejected) => refuse(state, &rejected.into()),
    }
}

/// Everything but the hash.
fn shown_at(now_ms: i64) -> impl Fn(&Credential) -> Json {
    move |Credential { id, record }| {
        let state = match record.revoked_at_ms {
            Some(_) => "revoked",
            None if record.is_good(now_ms) => "good",
            None => "expired",
        };
        json!({
            "id": id,
            "name": record.name,
            "role": record.role,
            "flags": record.flags,
            "state": state,
            "createdAtMs": record.created_at_ms,
            "createdBy": record.created_by.name,
            "createdById": record.created_by.id,
            "expiresAtMs": record.expires_at_ms,
            "revokedAtMs": record.revoked_at_ms,
            "revokedBy": record.revoked_by,
            "revokedById": record.revoked_by_id,
        })
    }
}

//! Credentials: made, listed and revoked. The secret is shown once, and only its hash is kept.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use turnout_api::admin::tokens::{
    CreateToken, NewToken, RevocationOutcome, RevokeToken, Revoked, Token, TokenState, Tokens,
};
use turnout_api::bounds::MAX_REASON_BYTES;
use turnout_api::strict;

use super::answer::{json as answer, refuse};
use super::body::{invalid_request, one_line};
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
    answer(&state, StatusCode::OK, &Tokens { tokens: shown.map(shown_at(now)).collect() })
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
    let reason = match revocation_reason(&body) {
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

fn revocation_reason(body: &[u8]) -> Result<Option<String>, ApiError> {
    let RevokeToken { reason } = strict::read(body)?;
    one_line("reason", MAX_REASON_BYTES, reason.as_deref())?;
    Ok(reason)
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
        return Err(Permission::Admin.denied_to(caller.role));
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
    let of_name: Vec<&Credential> = known.living_named(named, now).collect();
    match &*of_name {
        [] => Err(ApiError::UnknownToken),
        [credential] => Ok(TokenMatch::Credential(credential.id.clone())),
        several => {
            let ids: Vec<&str> = several.iter().map(|credential| credential.id.as_str()).collect();
            Err(invalid_request(format!(
                "{} living tokens have this name: {}; say which by its id: turnout token revoke {}",
                ids.len(),
                ids.join(", "),
                ids[0]
            )))
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
            (StatusCode::OK, RevocationOutcome::Committed, Some(*revision), true)
        }
        CommandOutcome::Pending { survives_restart, .. } => {
            (StatusCode::ACCEPTED, RevocationOutcome::Pending, None, *survives_restart)
        }
        CommandOutcome::Unchanged => (StatusCode::OK, RevocationOutcome::Unchanged, None, true),
    };
    let body = Revoked { revoked: id.to_owned(), outcome, revision, survives_restart: survives };
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
    let outcome = if survives { RevocationOutcome::Committed } else { RevocationOutcome::Pending };
    let body = Revoked {
        revoked: LOCAL_ADMIN.to_owned(),
        outcome,
        revision: None,
        survives_restart: survives,
    };
    answer(state, status, &body)
}

fn wanted(body: &[u8]) -> Result<Wanted, ApiError> {
    let CreateToken { name, role, expires_after_ms, reason, flags } = strict::read(body)?;
    check_name(&name)?;
    let role = Role::from(role);
    let flags = flags
        .map(|flags| flags.iter().map(|flag| flag.parse::<FlagKey>()).collect::<Result<_, _>>())
        .transpose()
        .map_err(|_| invalid_request("`flags` is a list of flags' keys"))?;
    if flags.is_some() && !matches!(role, Role::Stopper | Role::Operator) {
        return Err(invalid_request(
            "`flags` limits what a stopper or an operator may change; the other roles cannot be limited",
        ));
    }
    let expires_after_ms = expires_after_ms.unwrap_or(EXPIRES_AFTER_MS);
    if !(1..=MAX_EXPIRES_AFTER_MS).contains(&expires_after_ms) {
        return Err(invalid_request("`expiresAfterMs` is a time from 1 ms to ten years"));
    }
    one_line("reason", MAX_REASON_BYTES, reason.as_deref())?;
    Ok(Wanted { name, role, flags, expires_after_ms, reason })
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
            let body = NewToken { token: shown_at(now)(&credential), secret, revision };
            answer(state, StatusCode::CREATED, &body)
        }
        Err(rejected) => refuse(state, &rejected.into()),
    }
}

/// Everything but the hash.
fn shown_at(now_ms: i64) -> impl Fn(&Credential) -> Token {
    move |Credential { id, record }| Token {
        id: id.to_string(),
        name: record.name.clone(),
        role: record.role.into(),
        flags: record.flags.clone(),
        state: match record.revoked_at_ms {
            Some(_) => TokenState::Revoked,
            None if record.is_good(now_ms) => TokenState::Good,
            None => TokenState::Expired,
        },
        created_at_ms: record.created_at_ms,
        created_by: record.created_by.name.clone(),
        created_by_id: record.created_by.id.clone(),
        expires_at_ms: record.expires_at_ms,
        revoked_at_ms: record.revoked_at_ms,
        revoked_by: record.revoked_by.clone(),
        revoked_by_id: record.revoked_by_id.clone(),
    }
}

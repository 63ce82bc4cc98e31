//! The keys of our own issuer: listed, rotated and revoked; sessions for trying things; and the
//! end of all sessions of a user.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use turnout_api::admin::keys::{ChangeKeys, Key, KeyState as Shown, Keys, KeysChanged};
use turnout_api::strict;

use super::answer::{json as answer, refuse};
use super::state::AdminState;
use crate::auth::{Caller, KeySet, KeyState};
use crate::control::{KeysChanged as Changed, KeysRefused};
use crate::http::error::ApiError;
use crate::http::issuer::{made, revoked};

pub async fn list(State(state): State<AdminState>) -> Response<Body> {
    let keys = &state.issuer_keys;
    let listed_in = keys.listed_in().map(|path| path.display().to_string());
    let body = Keys { keys: shown(&state, &keys.issuer().keys()), listed_in };
    answer(&state, StatusCode::OK, &body)
}

pub async fn rotate(State(state): State<AdminState>, body: Bytes) -> Response<Body> {
    if let Err(bad) = strict::read::<ChangeKeys>(&body) {
        return refuse(&state, &bad.into());
    }
    let keys = state.issuer_keys.clone();
    let done = state.on_command_thread(async move { keys.rotate().await }).await;
    changed(&state, done)
}

pub async fn revoke(
    State(state): State<AdminState>,
    path: Result<Path<String>, PathRejection>,
    body: Bytes,
) -> Response<Body> {
    if let Err(bad) = strict::read::<ChangeKeys>(&body) {
        return refuse(&state, &bad.into());
    }
    let (keys, id) = (state.issuer_keys.clone(), path.map(|Path(id)| id).unwrap_or_default());
    let done = state.on_command_thread(async move { keys.revoke(&id).await }).await;
    changed(&state, done)
}

/// A session counts for every flag, so a token that reaches some of them makes none.
pub async fn session(
    State(state): State<AdminState>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response<Body> {
    let done =
        if caller.flags.is_some() { Err(ApiError::OtherFlags) } else { made(&state.public, &body) };
    match done {
        Ok(session) => answer(&state, StatusCode::OK, &session),
        Err(refusal) => refuse(&state, &refusal),
    }
}

/// What a token that reaches some flags may not, as a user's sessions are for every flag.
pub async fn revoke_sessions(
    State(state): State<AdminState>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response<Body> {
    let done = if caller.flags.is_some() {
        Err(ApiError::OtherFlags)
    } else {
        revoked(&state.public, &body).await
    };
    match done {
        Ok((status, done)) => answer(&state, status, &done),
        Err(refusal) => refuse(&state, &refusal),
    }
}

fn changed(state: &AdminState, done: Option<Result<Changed, KeysRefused>>) -> Response<Body> {
    match done.unwrap_or(Err(KeysRefused::Unreadable)) {
        Ok(Changed { keys, survives_restart }) => {
            let status = if survives_restart { StatusCode::OK } else { StatusCode::ACCEPTED };
            answer(state, status, &KeysChanged { keys: shown(state, &keys), survives_restart })
        }
        Err(refused) => refuse(state, &refused.into()),
    }
}

fn shown(state: &AdminState, keys: &KeySet) -> Vec<Key> {
    let is_listed = state.issuer_keys.listed_in().is_some();
    let states = keys.states(state.coordinator.clock().wall_ms());
    let row = states.filter_map(|(dated, state)| {
        let state = match state {
            KeyState::Next => Shown::Next,
            KeyState::Signs => Shown::Signs,
            KeyState::Believed => Shown::Believed,
            KeyState::Over => return None,
        };
        let signs_from_ms = (!is_listed).then_some(dated.signs_from_ms);
        Some(Key { id: dated.key.id().to_owned(), state, signs_from_ms })
    });
    row.collect()
}

impl From<KeysRefused> for ApiError {
    fn from(refused: KeysRefused) -> ApiError {
        match refused {
            KeysRefused::NoSuchKey => ApiError::NoSuchKey,
            KeysRefused::TooMany(_) => ApiError::TooManyKeys,
            KeysRefused::Listed(_) => ApiError::InvalidRequest(refused.to_string()),
            KeysRefused::NoRandomness => ApiError::NoRandomness,
            KeysRefused::Unreadable | KeysRefused::NotSaved(_) => ApiError::IssuerUnavailable,
        }
    }
}

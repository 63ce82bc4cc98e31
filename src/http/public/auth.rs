//! Who asks, from a request's headers, before its body is looked at.
//!
//! This module finds the credential that was presented and leaves the judging to
//! [`Authenticator`](crate::auth::Authenticator). A request may carry one credential at most; a
//! credential that cannot be understood is never treated as absent.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;

use super::caller::Caller;
use crate::auth::{InvalidCredential, ServerAction};
use crate::http::bearer::{API_KEY, bearer, only};
use crate::http::error::ApiError;
use crate::http::request_body::{MAX_BODY_BYTES, body_up_to};
use crate::http::state::PublicState;

/// Who sends a request with these headers.
pub fn caller(state: &PublicState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let authenticator = &state.authenticator;
    let secret = bearer(headers)?;
    let judged = match (secret, only(headers, &API_KEY)?) {
        (None, None) => authenticator.anonymous().map(|()| Caller::Plain),
        (Some(secret), None) => authenticator.bearer(secret, state.clock.now()).map(Caller::from),
        (None, Some(key)) => key
            .to_str()
            .map_err(|_| InvalidCredential)
            .and_then(|key| authenticator.server(key, state.clock.now()))
            .map(Caller::Server),
        // Two credentials: it is not clear which one is meant.
        (Some(_), Some(_)) => Err(InvalidCredential),
    };
    if judged.is_err() && secret.is_some_and(|secret| authenticator.lacks_keys_for(secret)) {
        state.client_mistakes.token_without_keys(state.clock.now().steady_ms);
    }
    Ok(judged?)
}

/// Who asks for a flag, or with `None` for all, and the whole body. The credential is judged twice:
/// by the head, so that no stranger's body is read, and again when the body is whole, as the
/// credential may have ended while the body arrived.
pub async fn caller_with_body(
    state: &PublicState,
    headers: &HeaderMap,
    flag: Option<&str>,
    body: Body,
) -> Result<(Caller, Bytes), ApiError> {
    let caller = caller(state, headers)?;
    if let Caller::Server(server) = &caller {
        server.check(ServerAction::Ask, flag)?;
    }
    with_body(state, caller, MAX_BODY_BYTES, body).await
}

/// The whole body of a caller, and the caller if it would still be let in.
pub async fn with_body(
    state: &PublicState,
    caller: Caller,
    max: usize,
    body: Body,
) -> Result<(Caller, Bytes), ApiError> {
    let bytes = body_up_to(max, &state.incoming_questions, caller.is_stranger(), body).await?;
    if caller.is_still_let_in(&state.authenticator, || state.clock.now()) {
        Ok((caller, bytes))
    } else {
        Err(InvalidCredential.into())
    }
}

/// The server that asks, if its key may do this to a flag, or with `None` to all of them.
pub fn server(
    state: &PublicState,
    headers: &HeaderMap,
    action: ServerAction,
    flag: Option<&str>,
) -> Result<Caller, ApiError> {
    match caller(state, headers)? {
        Caller::Server(server) => {
            server.check(action, flag)?;
            Ok(Caller::Server(server))
        }
        Caller::User(_) => Err(ApiError::ServerKeyNeeded),
        Caller::Plain => Err(ApiError::Unauthenticated),
    }
}

/// The user a session token speaks for, on a call that has no body to name another.
pub fn own_user(state: &PublicState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    match caller(state, headers)? {
        Caller::Plain => Err(ApiError::NoUser),
        Caller::Server(_) => Err(ApiError::NoSubject),
        user => Ok(user),
    }
}

/// The user a session token speaks for.
pub fn user(state: &PublicState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    match caller(state, headers)? {
        Caller::Plain => Err(ApiError::Unauthenticated),
        Caller::Server(_) => Err(ApiError::NoSubject),
        user => Ok(user),
    }
}

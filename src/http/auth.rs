//! Who asks, from a request's headers, before its body is looked at.
//!
//! This module finds the credential that was presented and leaves the judging to
//! [`Authenticator`](crate::auth::Authenticator). A request may carry one credential at most; a
//! credential that cannot be understood is never treated as absent.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

use super::PublicState;
use super::error::ApiError;
use super::request;
use crate::auth::{Authenticator, InvalidCredential, Principal, ServerPrincipal, Session};
use crate::flag::Attributes;
use crate::moment::Moment;

pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks, and how far the caller is trusted.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A user whose session token was verified.
    User(Arc<Session>),
    /// A server, which may ask for any user.
    Server(ServerPrincipal),
    /// A caller without a credential.
    Plain,
}

/// Who sends a request with these headers.
fn caller(state: &PublicState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let authenticator = &state.authenticator;
    let judged = match (only(headers, &AUTHORIZATION)?, only(headers, &API_KEY)?) {
        (None, None) => authenticator.anonymous().map(|()| Caller::Plain),
        (Some(authorization), None) => authenticator
            .bearer(bearer(authorization).ok_or(InvalidCredential)?, state.clock.now())
            .map(Caller::from),
        (None, Some(key)) => key
            .to_str()
            .map_err(|_| InvalidCredential)
            .and_then(|key| authenticator.server(key, state.clock.now()))
            .map(Caller::Server),
        // Two credentials: it is not clear which one is meant.
        (Some(_), Some(_)) => Err(InvalidCredential),
    };
    Ok(judged?)
}

/// Who sends a request with these headers, and its whole body. The credential is judged twice: by
/// the head, so that no stranger's body is read, and again when the body is whole, as the
/// credential may have ended while the body arrived.
pub async fn caller_with_body(
    state: &PublicState,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Caller, Bytes), ApiError> {
    let caller = caller(state, headers)?;
    let bytes = request::body(&state.incoming_questions, caller.is_stranger(), body).await?;
    if caller.is_still_let_in(&state.authenticator, || state.clock.now()) {
        Ok((caller, bytes))
    } else {
        Err(InvalidCredential.into())
    }
}

/// The user a session token speaks for; a request without a body must have one.
pub fn user(state: &PublicState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    match caller(state, headers)? {
        Caller::Plain => Err(ApiError::Unauthenticated),
        Caller::Server(_) => Err(ApiError::NoSubject),
        user => Ok(user),
    }
}

impl Caller {
    /// Whether nothing proves who the caller is: strangers have shares of their own of each bound.
    pub fn is_stranger(&self) -> bool {
        matches!(self, Caller::Plain)
    }

    /// What its credential says about the user.
    pub fn claims(&self) -> &Attributes<'_> {
        match self {
            Caller::User(session) => session.attributes(),
            Caller::Server(_) | Caller::Plain => &[],
        }
    }

    /// The same caller, with only the claims whose names are wanted.
    pub fn keeping(&self, wants: impl Fn(&str) -> bool) -> Caller {
        match self {
            Caller::User(session) => Caller::User(Arc::new(session.keeping(wants))),
            Caller::Server(pass) => Caller::Server(pass.clone()),
            Caller::Plain => Caller::Plain,
        }
    }

    /// Whether it would be let in again. The clock is read only for a credential that may have
    /// ended.
    pub fn is_still_let_in(&self, authenticator: &Authenticator, now: impl Fn() -> Moment) -> bool {
        match self {
            Caller::User(session) => authenticator.still_lets_user(session, now()),
            Caller::Server(pass) => authenticator.still_lets_server(pass, now()),
            Caller::Plain => true,
        }
    }

    /// How long its credential is still good, if it ends.
    pub fn lives_for(&self, now: Moment) -> Option<Duration> {
        match self {
            Caller::User(session) => Some(session.lives_for(now)),
            Caller::Server(pass) => pass.lives_for(now),
            Caller::Plain => None,
        }
    }
}

impl From<Principal> for Caller {
    fn from(pass: Principal) -> Caller {
        match pass {
            Principal::User(session) => Caller::User(session),
            Principal::Server(pass) => Caller::Server(pass),
        }
    }
}

impl From<InvalidCredential> for ApiError {
    fn from(_: InvalidCredential) -> ApiError {
        ApiError::Unauthenticated
    }
}

/// The header's only value; two values count as one that cannot be understood.
fn only<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, InvalidCredential> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    if headers.get_all(name).iter().nth(1).is_some() {
        Err(InvalidCredential)
    } else {
        Ok(Some(value))
    }
}

/// The credential of `Bearer <credential>`; the scheme in any case, as RFC 9110 §11.1 has it.
fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, credential) = authorization.to_str().ok()?.split_once(' ')?;
    let whole = !credential.is_empty() && !credential.contains([' ', '\t', ',']);
    (scheme.eq_ignore_ascii_case("bearer") && whole).then_some(credential)
}

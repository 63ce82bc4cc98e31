//! Who asks, from a request's headers, before its body is looked at.
//!
//! It decides what was presented and leaves the judging to [`Gate`](crate::token::Gate). One credential at most; one that is not
//! understood is never taken for none.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

use super::Surface;
use super::error::Refusal;
use super::question;
use crate::flag::Attributes;
use crate::moment::Moment;
use crate::token::{Gate, Pass, Refused, ServerPass, Session};

pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks, and how far they are trusted.
#[derive(Clone, Debug)]
pub enum Asker {
    /// A user whose session token was checked.
    User(Arc<Session>),
    /// A server, for anyone.
    Server(ServerPass),
    /// Somebody.
    Plain,
}

/// Who sends a request with these headers.
fn asker(surface: &Surface, headers: &HeaderMap) -> Result<Asker, Refusal> {
    let gate = &surface.gate;
    let judged = match (only(headers, &AUTHORIZATION)?, only(headers, &API_KEY)?) {
        (None, None) => gate.nothing().map(|()| Asker::Plain),
        (Some(authorization), None) => gate.bearer(bearer(authorization).ok_or(Refused)?, surface.clock.now()).map(Asker::from),
        (None, Some(key)) => {
            key.to_str().map_err(|_| Refused).and_then(|key| gate.server(key, surface.clock.now())).map(Asker::Server)
        }
        // Which of the two was meant?
        (Some(_), Some(_)) => Err(Refused),
    };
    Ok(judged?)
}

/// Who sends a request with these headers, and the whole of its body. A credential is judged twice: by the head, so that no stranger's body
/// is read, and again when the body is whole, as the credential may have ended while it arrived.
pub async fn asker_of_whole(surface: &Surface, headers: &HeaderMap, body: Body) -> Result<(Asker, Bytes), Refusal> {
    let asker = asker(surface, headers)?;
    let bytes = question::body(&surface.arriving, asker.is_stranger(), body).await?;
    if asker.is_still_let_in(&surface.gate, || surface.clock.now()) { Ok((asker, bytes)) } else { Err(Refused.into()) }
}

/// The user a session token speaks for; whoever asks without a body must have one.
pub fn user(surface: &Surface, headers: &HeaderMap) -> Result<Asker, Refusal> {
    match asker(surface, headers)? {
        Asker::Plain => Err(Refusal::Unauthenticated),
        Asker::Server(_) => Err(Refusal::NoSubject),
        user => Ok(user),
    }
}

impl Asker {
    /// Whether nothing proves who it is: strangers have shares of their own of what there is.
    pub fn is_stranger(&self) -> bool {
        matches!(self, Asker::Plain)
    }

    /// What its credential says of it.
    pub fn claims(&self) -> &Attributes<'_> {
        match self {
            Asker::User(session) => session.attributes(),
            Asker::Server(_) | Asker::Plain => &[],
        }
    }

    /// The same, with only what its credential says under a name that is wanted.
    pub fn keeping(&self, wants: impl Fn(&str) -> bool) -> Asker {
        match self {
            Asker::User(session) => Asker::User(Arc::new(session.keeping(wants))),
            Asker::Server(pass) => Asker::Server(pass.clone()),
            Asker::Plain => Asker::Plain,
        }
    }

    /// Whether it would be let in again. The clock is read only for a credential that may have ended.
    pub fn is_still_let_in(&self, gate: &Gate, now: impl Fn() -> Moment) -> bool {
        match self {
            Asker::User(session) => gate.still_lets_user(session, now()),
            Asker::Server(pass) => gate.still_lets_server(pass, now()),
            Asker::Plain => true,
        }
    }

    /// How long its credential is still good, if it ends.
    pub fn lives_for(&self, now: Moment) -> Option<Duration> {
        match self {
            Asker::User(session) => Some(session.lives_for(now)),
            Asker::Server(pass) => pass.lives_for(now),
            Asker::Plain => None,
        }
    }
}

impl From<Pass> for Asker {
    fn from(pass: Pass) -> Asker {
        match pass {
            Pass::User(session) => Asker::User(session),
            Pass::Server(pass) => Asker::Server(pass),
        }
    }
}

impl From<Refused> for Refusal {
    fn from(_: Refused) -> Refusal {
        Refusal::Unauthenticated
    }
}

/// The header's value; two of them are as good as none that can be understood.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Refused> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    if headers.get_all(name).iter().nth(1).is_some() { Err(Refused) } else { Ok(Some(value)) }
}

/// The credential of `Bearer <credential>`; the scheme in any case, as RFC 9110 §11.1 has it.
fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, credential) = authorization.to_str().ok()?.split_once(' ')?;
    let whole = !credential.is_empty() && !credential.contains([' ', '\t', ',']);
    (scheme.eq_ignore_ascii_case("bearer") && whole).then_some(credential)
}

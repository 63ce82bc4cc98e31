//! Who asks, and how far the caller is trusted.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Authenticator, Principal, ServerPrincipal, Session};
use crate::flag::Attributes;
use crate::moment::Moment;

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

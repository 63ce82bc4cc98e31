//! The gate: which credentials are configured, and what each lets one ask. It is told what was presented, not how.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Refused;
use super::operator::{MAX_BYTES, Operators};
use super::server_key::ServerKeys;
use super::session::{self, Fingerprint, Ring, Session, Sessions, fingerprint};
use crate::moment::{Deadline, Moment};
use crate::truth::ContentId;

/// Whether one may ask without a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unverified {
    #[default]
    Allow,
    Deny,
}

/// Judges credentials. The default knows none, and lets anyone ask plainly.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    pub sessions: Option<Arc<Sessions>>,
    pub server_keys: Option<Arc<ServerKeys>>,
    /// Tokens of the role `server`.
    pub operators: Option<Operators>,
    pub unverified: Unverified,
}

/// Who was let in by a bearer credential.
#[derive(Debug)]
pub enum Pass {
    User(Arc<Session>),
    Server(ServerPass),
}

/// What a server was let in by: enough to ask again whether it still would be, and nothing it could be let in with.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerPass {
    fingerprint: Fingerprint,
    ends: Option<Deadline>,
}

/// What a gate believed at one time.
pub struct Belief {
    sessions: Option<Arc<Ring>>,
    server_keys: Option<Arc<Vec<Fingerprint>>>,
    servers_lost: Option<u64>,
}

impl Gate {
    /// A bearer credential's user, or a server, which may ask for anyone. A token of three parts is a session's.
    pub fn bearer(&self, credential: &str, now: Moment) -> Result<Pass, Refused> {
        let looks_like_a_token = credential.len() <= session::MAX_TOKEN_BYTES && credential.split('.').count() == 3;
        match looks_like_a_token {
            true => self.sessions.as_ref().ok_or(Refused)?.verify(credential, now).map(Pass::User),
            false => self.server(credential, now).map(Pass::Server),
        }
    }

    /// A server's key.
    pub fn server(&self, key: &str, now: Moment) -> Result<ServerPass, Refused> {
        if key.is_empty() || key.len() > MAX_BYTES {
            return Err(Refused);
        }
        self.server_of(fingerprint(key.as_bytes()), now)
    }

    /// Whether a server would be let in again.
    pub fn still_lets_server(&self, pass: &ServerPass, now: Moment) -> bool {
        self.server_of(pass.fingerprint, now).is_ok()
    }

    /// Whether a user would be let in again.
    pub fn still_lets_user(&self, session: &Session, now: Moment) -> bool {
        self.sessions.as_ref().is_some_and(|sessions| sessions.still_accept(session, now))
    }

    /// What is believed now. While it is the same, whoever was let in still would be, until the credential ends.
    pub fn belief(&self) -> Belief {
        Belief {
            sessions: self.sessions.as_ref().map(|sessions| sessions.current()),
            server_keys: self.server_keys.as_ref().map(|keys| keys.current()),
            servers_lost: self.operators.as_ref().map(Operators::servers_lost),
        }
    }

    fn server_of(&self, fingerprint: Fingerprint, now: Moment) -> Result<ServerPass, Refused> {
        if self.server_keys.as_ref().is_some_and(|keys| keys.know(&fingerprint)) {
            return Ok(ServerPass { fingerprint, ends: None });
        }
        let operators = self.operators.as_ref().ok_or(Refused)?;
        let ends = operators.server(ContentId::from(fingerprint), now)?;
        Ok(ServerPass { fingerprint, ends })
    }

    /// Whether anybody can have a credential to ask with.
    pub fn knows_credentials(&self) -> bool {
        let of_role = || self.operators.as_ref().is_some_and(Operators::have_a_server);
        self.sessions.is_some() || self.server_keys.is_some() || of_role()
    }

    /// No credential at all.
    pub fn nothing(&self) -> Result<(), Refused> {
        if self.unverified == Unverified::Allow { Ok(()) } else { Err(Refused) }
    }
}

impl ServerPass {
    /// What tells it from others.
    pub fn fingerprint(&self) -> &[u8] {
        &self.fingerprint
    }

    /// How long its credential is still good, if it ends.
    pub fn lives_for(&self, now: Moment) -> Option<Duration> {
        self.ends.map(|end| Duration::from_millis(end.left_ms(now).unsigned_abs()))
    }
}

impl fmt::Debug for ServerPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerPass(redacted)")
    }
}

impl PartialEq for Belief {
    /// Whether nothing was taken in between the two. Each holds what it saw, so that none of it can come again as something else.
    fn eq(&self, other: &Belief) -> bool {
        fn same<T>(one: &Option<Arc<T>>, other: &Option<Arc<T>>) -> bool {
            match (one, other) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            }
        }
        same(&self.sessions, &other.sessions)
            && same(&self.server_keys, &other.server_keys)
            && self.servers_lost == other.servers_lost
    }
}

//! The gate: which credentials are configured, and what each lets one ask. It is told what was presented, not how.

use std::sync::Arc;
use std::time::SystemTime;

use super::server_key::ServerKeys;
use super::session::{Session, Sessions};
use super::{Operators, Refused, Role, session};

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

impl Gate {
    /// A bearer credential's user, or `None` for a server, which may ask for anyone. A token of three parts is a session's.
    pub fn bearer(&self, credential: &str, now: SystemTime) -> Result<Option<Arc<Session>>, Refused> {
        let looks_like_a_token = credential.len() <= session::MAX_TOKEN_BYTES && credential.split('.').count() == 3;
        match looks_like_a_token {
            true => self.sessions.as_ref().ok_or(Refused)?.verify(credential, now).map(Some),
            false => self.server(credential, now).map(|()| None),
        }
    }

    /// A server's key.
    pub fn server(&self, key: &str, now: SystemTime) -> Result<(), Refused> {
        let listed = self.server_keys.as_ref().is_some_and(|keys| keys.verify(key).is_ok());
        let now_ms = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let caller = self.operators.as_ref().and_then(|operators| operators.judge(key, now_ms).ok());
        if listed || caller.is_some_and(|caller| caller.role == Role::Server) { Ok(()) } else { Err(Refused) }
    }

    /// No credential at all.
    pub fn nothing(&self) -> Result<(), Refused> {
        if self.unverified == Unverified::Allow { Ok(()) } else { Err(Refused) }
    }
}

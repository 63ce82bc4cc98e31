//! Which credentials are configured, and what each lets a caller ask. The authenticator gets the
//! credential itself, not the header that carried it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::InvalidCredential;
use super::admin_credentials::{AdminCredentials, MAX_BYTES};
use super::claims::is_our_own;
use super::issuer::Issuer;
use super::keys::KeyDigest;
use super::revoked_sessions::RevokedSessions;
use super::server_key::{ServerKey, ServerKeys};
use super::server_permissions::{NotPermitted, ServerAction, ServerPermissions};
use super::session::{Fingerprint, Session, fingerprint};
use super::sessions::{KeyRing, MAX_TOKEN_BYTES, Sessions};
use crate::ledger::ContentHash;
use crate::moment::{Deadline, Moment};

/// Whether a caller may ask without a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnonymousAccess {
    #[default]
    Allow,
    Deny,
}

/// Judges credentials. The default knows none, and lets any caller ask without one.
#[derive(Clone, Debug, Default)]
pub struct Authenticator {
    pub sessions: Option<Arc<Sessions>>,
    /// Our own sessions, and tokens for streams.
    pub issuer: Option<Arc<Issuer>>,
    pub server_keys: Option<Arc<ServerKeys>>,
    /// Tokens of the role `server`.
    pub operators: Option<AdminCredentials>,
    pub unverified: AnonymousAccess,
    /// Whose sessions are refused, by whomever they were issued.
    pub revoked: Arc<RevokedSessions>,
}

/// Who was let in by a bearer credential.
#[derive(Debug)]
pub enum Principal {
    User(Arc<Session>),
    Server(ServerPrincipal),
}

/// The credential a server was let in by: enough to check again whether it still would be, but not
/// enough to be let in with.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerPrincipal {
    fingerprint: Fingerprint,
    ends: Option<Deadline>,
    /// `None` is everything.
    may: Option<Arc<ServerPermissions>>,
}

/// What an authenticator accepted at one time.
pub struct CredentialVersion {
    sessions: Option<Arc<KeyRing>>,
    /// Our own keys: sessions and tokens for streams share them.
    own: Option<Arc<KeyRing>>,
    server_keys: Option<Arc<Vec<ServerKey>>>,
    servers_lost: Option<u64>,
}

impl Authenticator {
    /// The user of a bearer credential, or a server, which may ask for any user. A token of three
    /// parts is a session's.
    pub fn bearer(&self, credential: &str, now: Moment) -> Result<Principal, InvalidCredential> {
        if looks_like_a_token(credential) {
            self.session(credential, now).map(Principal::User)
        } else {
            self.server(credential, now).map(Principal::Server)
        }
    }

    /// The user of a session token: the application's, or one that was minted here. Which of the two
    /// a new one is says its `iss`, before any signature is checked.
    fn session(&self, token: &str, now: Moment) -> Result<Arc<Session>, InvalidCredential> {
        let own = self.issuer.as_ref().map(|issuer| issuer.sessions());
        let fingerprint = fingerprint(token.as_bytes());
        let mut all = [self.sessions.as_ref(), own].into_iter().flatten();
        let session = match all.find_map(|sessions| sessions.known(&fingerprint, now)) {
            Some(judged) => judged?,
            None => {
                let meant = if is_our_own(token) { own } else { self.sessions.as_ref() };
                meant.ok_or(InvalidCredential)?.learn(token, fingerprint, now)?
            }
        };
        self.unless_revoked(session, now)
    }

    /// The user of a token for streams, which is good for nothing else.
    pub fn realtime_token(
        &self,
        token: &str,
        now: Moment,
    ) -> Result<Arc<Session>, InvalidCredential> {
        let issuer = self.issuer.as_ref().ok_or(InvalidCredential)?;
        self.unless_revoked(issuer.tokens().verify(token, now)?, now)
    }

    /// The session, unless its user's sessions were revoked. Asked each time: it may have been
    /// remembered since before.
    fn unless_revoked(
        &self,
        session: Arc<Session>,
        now: Moment,
    ) -> Result<Arc<Session>, InvalidCredential> {
        if self.revoked.refuses(&session, now) { Err(InvalidCredential) } else { Ok(session) }
    }

    /// The server of a server key.
    pub fn server(&self, key: &str, now: Moment) -> Result<ServerPrincipal, InvalidCredential> {
        if key.is_empty() || key.len() > MAX_BYTES {
            return Err(InvalidCredential);
        }
        self.server_of(fingerprint(key.as_bytes()), now)
    }

    /// Whether a server would be let in again, for the same things.
    pub fn still_lets_server(&self, pass: &ServerPrincipal, now: Moment) -> bool {
        self.server_of(pass.fingerprint, now).is_ok_and(|now_is| now_is.may == pass.may)
    }

    /// Whether a user would be let in again.
    pub fn still_lets_user(&self, session: &Session, now: Moment) -> bool {
        let issuer = self.issuer.as_ref();
        let own = issuer.map(|issuer| [issuer.sessions(), issuer.tokens()]).into_iter().flatten();
        let accepted =
            self.sessions.iter().chain(own).any(|sessions| sessions.still_accept(session, now));
        let is_vouched = session.voucher().is_none_or(|key| self.accepts_session_key(key));
        accepted && is_vouched && !self.revoked.refuses(session, now)
    }

    /// Whether sessions that this key signs are accepted.
    fn accepts_session_key(&self, key: &KeyDigest) -> bool {
        let own = self.issuer.as_ref().map(|issuer| issuer.sessions());
        self.sessions.as_ref().into_iter().chain(own).any(|sessions| sessions.accept_key(key))
    }

    /// What is accepted now. While this is the same, every caller that was let in still would be,
    /// until the credential ends.
    pub fn credential_version(&self) -> CredentialVersion {
        CredentialVersion {
            sessions: self.sessions.as_ref().map(|sessions| sessions.current()),
            own: self.issuer.as_ref().map(|issuer| issuer.sessions().current()),
            server_keys: self.server_keys.as_ref().map(|keys| keys.current()),
            servers_lost: self.operators.as_ref().map(AdminCredentials::servers_lost),
        }
    }

    fn server_of(
        &self,
        fingerprint: Fingerprint,
        now: Moment,
    ) -> Result<ServerPrincipal, InvalidCredential> {
        if let Some(may) = self.server_keys.as_ref().and_then(|keys| keys.find(&fingerprint)) {
            return Ok(ServerPrincipal { fingerprint, ends: None, may: Some(may) });
        }
        let operators = self.operators.as_ref().ok_or(InvalidCredential)?;
        let ends = operators.server(ContentHash::from(fingerprint), now)?;
        Ok(ServerPrincipal { fingerprint, ends, may: None })
    }

    /// Whether any caller can have a credential to ask with.
    pub fn knows_credentials(&self) -> bool {
        let of_role = || self.operators.as_ref().is_some_and(AdminCredentials::have_a_server);
        self.sessions.is_some() || self.server_keys.is_some() || of_role()
    }

    /// Whether this is a token of an application, while no keys are set to check such tokens with.
    pub fn lacks_keys_for(&self, credential: &str) -> bool {
        self.sessions.is_none() && looks_like_a_token(credential) && !is_our_own(credential)
    }

    /// Judges a request without any credential.
    pub fn anonymous(&self) -> Result<(), InvalidCredential> {
        if self.unverified == AnonymousAccess::Allow { Ok(()) } else { Err(InvalidCredential) }
    }
}

impl ServerPrincipal {
    /// What distinguishes this server from others.
    pub fn fingerprint(&self) -> &[u8] {
        &self.fingerprint
    }

    /// Whether it may do this to a flag, or, with `None`, to all of them.
    pub fn check(&self, action: ServerAction, flag: Option<&str>) -> Result<(), NotPermitted> {
        self.may.as_ref().map_or(Ok(()), |may| may.check(action, flag))
    }

    /// How long its credential is still good, if it ends.
    pub fn lives_for(&self, now: Moment) -> Option<Duration> {
        self.ends.map(|end| Duration::from_millis(end.left_ms(now).unsigned_abs()))
    }
}

impl fmt::Debug for ServerPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerPrincipal(redacted)")
    }
}

impl PartialEq for CredentialVersion {
    /// Whether no keys were replaced between the two versions. Each keeps what it saw alive, so
    /// that a new value cannot appear at the same address.
    fn eq(&self, other: &CredentialVersion) -> bool {
        fn same<T>(one: &Option<Arc<T>>, other: &Option<Arc<T>>) -> bool {
            match (one, other) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            }
        }
        same(&self.sessions, &other.sessions)
            && same(&self.own, &other.own)
            && same(&self.server_keys, &other.server_keys)
            && self.servers_lost == other.servers_lost
    }
}

fn looks_like_a_token(credential: &str) -> bool {
    credential.len() <= MAX_TOKEN_BYTES && parts(credential) == 3
}

/// How many parts a text has between dots. Counted in bytes, as many at a time as fit.
fn parts(text: &str) -> usize {
    let dots = |some: &[u8]| some.iter().fold(0_u8, |dots, byte| dots + u8::from(*byte == b'.'));
    1 + text.as_bytes().chunks(u8::MAX.into()).map(|some| usize::from(dots(some))).sum::<usize>()
}

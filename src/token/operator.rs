//! Who may change things: credentials kept as hashes, each with a role.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Refused;
use crate::truth::ContentId;

/// The longest credential that is looked at, in bytes; a server's key is one too.
pub(super) const MAX_BYTES: usize = 512;

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, stops and lowers: for people on call and for alerts.
    Stopper,
    /// Changes flags.
    Operator,
    /// Changes flags and credentials.
    Admin,
    /// A server of the application: asks for anyone on the public listener, and has no business on the admin one.
    Server,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Stopper, Role::Operator, Role::Admin, Role::Server];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Stopper => "stopper",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Server => "server",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A credential: never the secret, only its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    pub id: String,
    pub name: String,
    pub role: Role,
    /// The flags it may change; `None` is all of them.
    pub flags: Option<Vec<String>>,
    pub hash: ContentId,
    pub created_at_ms: i64,
    pub created_by: String,
    /// `None` never expires.
    pub expires_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
}

/// Somebody whose credential is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub name: String,
    pub role: Role,
    pub flags: Option<Vec<String>>,
}

/// The name by which the data folder's own credential stands in the history.
pub const LOCAL_ADMIN: &str = "local-admin";

/// The data folder's own credential, as it is believed now; there may be none.
#[derive(Clone, Debug, Default)]
pub struct LocalAdmin(Arc<ArcSwapOption<ContentId>>);

impl LocalAdmin {
    /// Accepts this secret from now on, and no other.
    pub fn believe(&self, secret: &str) {
        self.0.store(Some(Arc::new(ContentId::of(secret.as_bytes()))));
    }

    /// Accepts none from now on; returns the hash of the one that was accepted.
    pub fn end(&self) -> Option<ContentId> {
        self.0.swap(None).map(|hash| *hash)
    }

    /// Whether the secret of this hash is accepted.
    pub fn is(&self, hash: ContentId) -> bool {
        self.0.load().as_deref() == Some(&hash)
    }

    pub fn is_known(&self) -> bool {
        self.0.load().is_some()
    }
}

/// The credentials there are. The data folder's own is good whatever the database says.
#[derive(Clone, Debug)]
pub struct Operators {
    local: LocalAdmin,
    known: watch::Receiver<Arc<Vec<Credential>>>,
}

impl Operators {
    pub fn new(local: LocalAdmin, known: watch::Receiver<Arc<Vec<Credential>>>) -> Operators {
        Operators { local, known }
    }

    /// Whose credential this is. Hashes of secrets nobody can guess are looked up as they are: how long that takes tells nothing of them.
    pub fn judge(&self, secret: &str, now_ms: i64) -> Result<Caller, Refused> {
        if secret.is_empty() || secret.len() > MAX_BYTES {
            return Err(Refused);
        }
        let hash = ContentId::of(secret.as_bytes());
        if self.local.is(hash) {
            return Ok(Caller { name: LOCAL_ADMIN.to_owned(), role: Role::Admin, flags: None });
        }
        self.good(hash, now_ms, |Credential { name, role, flags, .. }| Caller {
            name: name.clone(),
            role: *role,
            flags: flags.clone(),
        })
    }

    /// Until when the server whose secret has this hash may ask; `None` is for ever.
    pub fn server(&self, hash: ContentId, now_ms: i64) -> Result<Option<i64>, Refused> {
        let (role, expires_at_ms) = self.good(hash, now_ms, |credential| (credential.role, credential.expires_at_ms))?;
        if role == Role::Server { Ok(expires_at_ms) } else { Err(Refused) }
    }

    /// What is believed now; another one where that may be something else.
    pub(super) fn current(&self) -> Arc<Vec<Credential>> {
        self.known.borrow().clone()
    }

    fn good<T>(&self, hash: ContentId, now_ms: i64, of: impl FnOnce(&Credential) -> T) -> Result<T, Refused> {
        let known = self.known.borrow();
        let credential = known.iter().find(|credential| credential.hash == hash).ok_or(Refused)?;
        let over = credential.expires_at_ms.is_some_and(|end| end <= now_ms) || credential.revoked_at_ms.is_some();
        if over { Err(Refused) } else { Ok(of(credential)) }
    }
}

impl Caller {
    /// Whether its credential reaches this flag.
    pub fn reaches(&self, flag: &str) -> bool {
        self.flags.as_ref().is_none_or(|flags| flags.iter().any(|known| known == flag))
    }
}

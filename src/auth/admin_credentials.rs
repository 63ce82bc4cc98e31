//! Who may change things: credentials kept as hashes, each with a role.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::credentials::Credentials;
use super::token_names::LOCAL_ADMIN;
use super::{InvalidCredential, ServerProof, TokenId};
use crate::ledger::{Actor, ContentHash, CredentialId, Role};
use crate::moment::{Deadline, Moment};

/// The longest credential that is looked at, in bytes; also for a server's key.
pub(super) const MAX_BYTES: usize = 512;

/// A caller whose credential is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `None` for the data folder's own credential.
    pub id: Option<CredentialId>,
    pub name: String,
    pub role: Role,
    pub flags: Option<Vec<String>>,
    /// Whether its credential may have been revoked: then it may do no more than narrow.
    pub is_in_doubt: bool,
}

/// The data folder's own credential, as it is accepted now; there may be none.
#[derive(Clone, Debug, Default)]
pub struct LocalAdmin(Arc<ArcSwapOption<ContentHash>>);

impl LocalAdmin {
    /// Accepts this secret from now on, and no other.
    pub fn accept_secret(&self, secret: &str) {
        self.0.store(Some(Arc::new(ContentHash::of(secret.as_bytes()))));
    }

    /// Accepts none from now on; returns the hash of the one that was accepted.
    pub fn end(&self) -> Option<ContentHash> {
        self.0.swap(None).map(|hash| *hash)
    }

    /// Whether the secret of this hash is accepted.
    pub fn is(&self, hash: ContentHash) -> bool {
        self.0.load().as_deref() == Some(&hash)
    }

    pub fn is_known(&self) -> bool {
        self.0.load().is_some()
    }

    fn hash(&self) -> Option<ContentHash> {
        self.0.load().as_deref().copied()
    }
}

/// All credentials. The data folder's own is good whatever the database says.
#[derive(Clone, Debug)]
pub struct AdminCredentials {
    local: LocalAdmin,
    known: watch::Receiver<Arc<Credentials>>,
}

impl AdminCredentials {
    pub fn new(local: LocalAdmin, known: watch::Receiver<Arc<Credentials>>) -> AdminCredentials {
        AdminCredentials { local, known }
    }

    /// Whose credential this is. Hashes of secrets that cannot be guessed are compared directly:
    /// how long that takes reveals nothing about them.
    pub fn authenticate(&self, secret: &str, now: Moment) -> Result<Caller, InvalidCredential> {
        if secret.is_empty() || secret.len() > MAX_BYTES {
            return Err(InvalidCredential);
        }
        self.judge_hash(ContentHash::of(secret.as_bytes()), now)
    }

    /// The same for a credential that was shown before, whose hash was kept.
    pub fn judge_hash(&self, hash: ContentHash, now: Moment) -> Result<Caller, InvalidCredential> {
        if self.local.is(hash) {
            return Ok(Caller {
                id: None,
                name: LOCAL_ADMIN.to_owned(),
                role: Role::Admin,
                flags: None,
                is_in_doubt: false,
            });
        }
        let known = self.known.borrow();
        let credential = known.good(hash, now)?;
        let record = &credential.record;
        let (name, flags) = (record.name.clone(), record.flags.clone());
        let is_in_doubt = known.is_in_doubt(&credential.id);
        let role = if is_in_doubt { record.role.only_narrowing() } else { record.role };
        Ok(Caller { id: Some(credential.id.clone()), name, role, flags, is_in_doubt })
    }

    /// The proof that this node knows the credential with this id; `None` where it knows no such
    /// good credential.
    pub fn prove(
        &self,
        token: TokenId,
        nonce: &str,
        address: &str,
        now: Moment,
    ) -> Option<ServerProof> {
        let is_meant = |hash: &ContentHash| TokenId::of(*hash) == token;
        let known = || {
            let known = self.known.borrow();
            let hash =
                known.all().iter().map(|credential| credential.record.hash).find(is_meant)?;
            known.good(hash, now).is_ok().then_some(hash)
        };
        ServerProof::of(self.local.hash().filter(is_meant).or_else(known)?, nonce, address)
    }

    /// Until when the server whose secret has this hash may ask; `None` is for ever.
    pub fn server(
        &self,
        hash: ContentHash,
        now: Moment,
    ) -> Result<Option<Deadline>, InvalidCredential> {
        let known = self.known.borrow();
        let credential = known.good(hash, now)?;
        if credential.record.role == Role::Server && !known.is_in_doubt(&credential.id) {
            Ok(known.deadline(hash))
        } else {
            Err(InvalidCredential)
        }
    }

    /// Whether a server's credential is among them.
    pub(super) fn have_a_server(&self) -> bool {
        let known = self.known.borrow();
        known.all().iter().any(|credential| {
            credential.record.role == Role::Server && credential.record.revoked_at_ms.is_none()
        })
    }

    /// A number that changes where a server that was let in may no longer be.
    pub(super) fn servers_lost(&self) -> u64 {
        self.known.borrow().servers_lost()
    }
}

impl Caller {
    /// The actor that stands in the history.
    pub fn actor(&self) -> Actor {
        Actor { name: self.name.clone(), id: self.id.as_ref().map(ToString::to_string) }
    }

    /// Whether the credential reaches this flag.
    pub fn reaches(&self, flag: &str) -> bool {
        self.flags.as_ref().is_none_or(|flags| flags.iter().any(|known| known == flag))
    }
}

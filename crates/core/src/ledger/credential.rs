//! A credential: who may do what until when, stored with the hash of its secret. Making and
//! revoking credentials are changes like all others.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::actor::{self, Actor};
use super::attribution::Attribution;
use super::blob::ContentHash;
use super::unknown::Unknown;

/// How long a dead credential is shown.
pub const SHOWN_AFTER_DEATH_MS: i64 = 30 * 86_400_000;
/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads, stops and lowers: for people on call and for alerts.
    Stopper,
    /// Changes flags.
    Operator,
    /// Changes flags and credentials.
    Admin,
    /// A server of the application: asks for any user on the public listener, and cannot use the
    /// admin listener.
    Server,
}

/// The id of a credential; never used again for another.
///
/// ```
/// use turnout_core::ledger::CredentialId;
/// assert!("3f0c9d2e7a41".parse::<CredentialId>().is_ok());
/// assert!("".parse::<CredentialId>().is_err() && "a/b".parse::<CredentialId>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialId(String);

/// The text is not a credential's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a credential's id has 1 to 64 letters and digits")]
pub struct BadCredentialId;

/// The stored data of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialRecord {
    /// A label; unique only among living credentials.
    pub name: String,
    pub role: Role,
    /// The flags it may change; `None` means all flags.
    pub flags: Option<Vec<String>>,
    /// The hash of its secret.
    pub hash: ContentHash,
    pub created_at_ms: i64,
    #[serde(flatten, with = "actor::created_by")]
    pub created_by: Actor,
    /// `None` if it never expires.
    pub expires_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by_id: Option<String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A credential and its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub id: CredentialId,
    #[serde(flatten)]
    pub record: CredentialRecord,
}

impl Role {
    pub const ALL: [Role; 5] =
        [Role::Viewer, Role::Stopper, Role::Operator, Role::Admin, Role::Server];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Stopper => "stopper",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Server => "server",
        }
    }

    /// What is left of it for one who may narrow and no more.
    pub fn only_narrowing(self) -> Role {
        match self {
            Role::Stopper | Role::Operator | Role::Admin => Role::Stopper,
            Role::Viewer | Role::Server => self,
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

impl CredentialId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialId {
    type Err = BadCredentialId;

    fn from_str(text: &str) -> Result<CredentialId, BadCredentialId> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for CredentialId {
    type Error = BadCredentialId;

    fn try_from(text: String) -> Result<CredentialId, BadCredentialId> {
        let good =
            (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if good { Ok(CredentialId(text)) } else { Err(BadCredentialId) }
    }
}

impl From<CredentialId> for String {
    fn from(CredentialId(text): CredentialId) -> String {
        text
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CredentialRecord {
    /// When it stops being accepted; `None` if it never does.
    pub fn ends_at_ms(&self) -> Option<i64> {
        match (self.revoked_at_ms, self.expires_at_ms) {
            (Some(revoked), Some(expires)) => Some(revoked.min(expires)),
            (revoked, expires) => revoked.or(expires),
        }
    }

    /// Whether it is accepted. A revoked one never is, whatever the clock says.
    pub fn is_good(&self, now_ms: i64) -> bool {
        self.revoked_at_ms.is_none() && self.expires_at_ms.is_none_or(|end| now_ms < end)
    }

    /// Whether it is still shown.
    pub fn is_shown(&self, now_ms: i64) -> bool {
        self.is_good(now_ms)
            || self.ends_at_ms().is_none_or(|end| now_ms < end.saturating_add(SHOWN_AFTER_DEATH_MS))
    }

    /// Whether it must be kept: it is shown, or it was revoked before its expiry and an old backup
    /// would revive it.
    pub fn is_needed(&self, now_ms: i64) -> bool {
        self.is_shown(now_ms) || self.expires_at_ms.is_none_or(|end| now_ms < end)
    }

    /// The same credential, revoked. The first revocation counts: a later mark changes nothing.
    pub fn revoked(&self, mark: &Attribution) -> CredentialRecord {
        if self.revoked_at_ms.is_some() {
            return self.clone();
        }
        let Attribution { by, at_ms, .. } = mark;
        CredentialRecord {
            revoked_at_ms: Some(*at_ms),
            revoked_by: Some(by.name.clone()),
            revoked_by_id: by.id.clone(),
            ..self.clone()
        }
    }
}

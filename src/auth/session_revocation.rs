//! That a user's sessions are revoked, as it is kept in memory and on disk: by a digest of the
//! user's id under a key of the data folder, never by the id.

use std::fmt;

use super::random::random_bytes;

/// How long a revocation is kept: longer than any session of ours lives, which is 24 h at most.
pub const REVOCATION_KEPT_MS: i64 = 25 * 60 * 60 * 1_000;
/// The most users whose revocation is kept by itself. A further user's is kept for the user's
/// group.
pub const MAX_REVOKED_USERS: usize = 100_000;
/// How many groups users are in, by the first 16 bits of their digests.
pub const USER_GROUPS: usize = 1 << 16;

/// The key of the digests.
#[derive(Clone, PartialEq, Eq)]
pub struct DigestKey([u8; DigestKey::BYTES]);

/// A user's id, as it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserDigest([u8; UserDigest::BYTES]);

/// Whose sessions are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevokedSubject {
    User(UserDigest),
    /// Every user whose digest begins with these bits: one of [`USER_GROUPS`].
    Group(u16),
    /// What was revoked does not read.
    Everyone,
}

/// That what was issued until a moment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionRevocation {
    pub subject: RevokedSubject,
    /// In milliseconds since 1970, by the wall clock.
    pub at_ms: i64,
}

impl SessionRevocation {
    /// Of every session that was issued until then. It is used where what was revoked does not read.
    pub fn of_everyone(at_ms: i64) -> SessionRevocation {
        SessionRevocation { subject: RevokedSubject::Everyone, at_ms }
    }

    /// Whether it is about one user alone.
    pub fn is_of_one_user(&self) -> bool {
        matches!(self.subject, RevokedSubject::User(_))
    }
}

impl DigestKey {
    pub const BYTES: usize = 32;

    /// A new one. Without randomness it hides less of the ids, and nothing else.
    pub fn random() -> DigestKey {
        DigestKey(random_bytes().unwrap_or_default())
    }

    pub fn bytes(&self) -> &[u8; DigestKey::BYTES] {
        &self.0
    }
}

impl From<[u8; DigestKey::BYTES]> for DigestKey {
    fn from(bytes: [u8; DigestKey::BYTES]) -> DigestKey {
        DigestKey(bytes)
    }
}

impl UserDigest {
    pub const BYTES: usize = 16;

    pub fn bytes(&self) -> &[u8; UserDigest::BYTES] {
        &self.0
    }

    pub(super) fn shard(&self) -> usize {
        usize::from(self.0[0])
    }

    /// The group that its user is in.
    pub(super) fn group(&self) -> RevokedSubject {
        RevokedSubject::Group(u16::from_be_bytes([self.0[0], self.0[1]]))
    }
}

impl From<[u8; UserDigest::BYTES]> for UserDigest {
    fn from(bytes: [u8; UserDigest::BYTES]) -> UserDigest {
        UserDigest(bytes)
    }
}

impl RevokedSubject {
    /// A user is in the same shard as the user's group.
    pub(super) fn shard(&self) -> usize {
        match self {
            RevokedSubject::User(digest) => digest.shard(),
            RevokedSubject::Group(group) => usize::from(group >> 8),
            RevokedSubject::Everyone => 0,
        }
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(redacted)")
    }
}

impl fmt::Debug for UserDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserDigest(redacted)")
    }
}

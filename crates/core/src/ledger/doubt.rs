//! Flags and credentials whose state may be lost: a part of what was known cannot be read. Until a
//! person decides, each such flag is served as stopped, and each such credential may only narrow.

use std::collections::BTreeSet;

use super::attribution::Attribution;
use super::credential::CredentialId;
use super::entry::FlagEntry;
use crate::flag::FlagKey;

/// The flags that may be stopped, or lower, and the credentials that may be revoked, although what
/// can still be read does not say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubt {
    pub flags: Doubted<FlagKey>,
    pub credentials: Doubted<CredentialId>,
}

/// The subjects of one kind that are in doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Doubted<K> {
    #[default]
    None,
    These(BTreeSet<K>),
    All,
}

impl Doubt {
    pub const NONE: Doubt = Doubt { flags: Doubted::None, credentials: Doubted::None };
    /// What cannot be read may be about any subject.
    pub const ALL: Doubt = Doubt { flags: Doubted::All, credentials: Doubted::All };

    pub fn is_none(&self) -> bool {
        *self == Doubt::NONE
    }

    pub fn covers(&self, flag: &str) -> bool {
        match &self.flags {
            Doubted::None => false,
            Doubted::These(flags) => flags.contains(flag),
            Doubted::All => true,
        }
    }

    /// Both doubts combined.
    pub fn and(self, other: Doubt) -> Doubt {
        Doubt {
            flags: self.flags.and(other.flags),
            credentials: self.credentials.and(other.credentials),
        }
    }

    /// The flag as it is served under this doubt. A known stop keeps its author.
    pub(super) fn over(&self, flag: &str, mut entry: FlagEntry, since_ms: i64) -> FlagEntry {
        if self.covers(flag) {
            entry
                .record
                .stop
                .get_or_insert_with(|| Attribution::of_turnout(since_ms, "its state may be lost"));
        }
        entry
    }
}

impl<K: Ord> Doubted<K> {
    pub fn is_none(&self) -> bool {
        matches!(self, Doubted::None)
    }

    pub fn covers(&self, key: &K) -> bool {
        match self {
            Doubted::None => false,
            Doubted::These(keys) => keys.contains(key),
            Doubted::All => true,
        }
    }

    fn and(self, other: Doubted<K>) -> Doubted<K> {
        match (self, other) {
            (Doubted::None, doubt) | (doubt, Doubted::None) => doubt,
            (Doubted::These(mut keys), Doubted::These(more)) => {
                keys.extend(more);
                Doubted::These(keys)
            }
            (Doubted::All, _) | (_, Doubted::All) => Doubted::All,
        }
    }
}

impl<K: Ord> FromIterator<K> for Doubted<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Doubted<K> {
        let keys: BTreeSet<K> = keys.into_iter().collect();
        if keys.is_empty() { Doubted::None } else { Doubted::These(keys) }
    }
}

//! Flags whose state may be lost: a part of what was known does not read, so each is served as
//! stopped until a person decides.

use std::collections::BTreeSet;

use super::catalog::FlagEntry;
use super::record::Attribution;
use crate::flag::FlagKey;

/// Which flags may be stopped, or lower, than what still reads says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Doubt {
    #[default]
    None,
    Flags(BTreeSet<FlagKey>),
    All,
}

impl Doubt {
    pub fn is_none(&self) -> bool {
        *self == Doubt::None
    }

    pub fn covers(&self, flag: &str) -> bool {
        match self {
            Doubt::None => false,
            Doubt::Flags(flags) => flags.contains(flag),
            Doubt::All => true,
        }
    }

    /// Both doubts.
    pub fn and(self, other: Doubt) -> Doubt {
        match (self, other) {
            (Doubt::None, doubt) | (doubt, Doubt::None) => doubt,
            (Doubt::Flags(mut flags), Doubt::Flags(more)) => {
                flags.extend(more);
                Doubt::Flags(flags)
            }
            (Doubt::All, _) | (_, Doubt::All) => Doubt::All,
        }
    }

    /// The flag as it is served under this doubt. A stop that is known keeps who made it.
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

impl FromIterator<FlagKey> for Doubt {
    fn from_iter<I: IntoIterator<Item = FlagKey>>(flags: I) -> Doubt {
        let flags: BTreeSet<FlagKey> = flags.into_iter().collect();
        if flags.is_empty() { Doubt::None } else { Doubt::Flags(flags) }
    }
}

//! Named sets of users, and the one rule for membership.
//!
//! A segment's lists and the lists in an entry of `deny` or `allow` are the same [`Members`].

use super::context::{Address, Context, domain_of};
use super::id_set::IdSet;
use super::key::SegmentKey;

/// Which addresses may match a list of e-mails or domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only a verified address: whatever an address opens must be proved.
    Verified,
    /// Any address: in `deny`, a claim is enough to be excluded.
    Any,
}

/// Users listed by id, by address or by the domain of their address.
#[derive(Debug, Default, PartialEq)]
pub struct Members {
    /// Targeting keys, byte for byte.
    pub users: IdSet,
    /// Whole addresses, in ASCII lower case.
    pub emails: IdSet,
    /// Exact domains, in ASCII lower case.
    pub domains: IdSet,
}

impl Members {
    /// Whether any list names the user.
    pub fn contain(&self, context: &Context<'_>, trust: Trust) -> bool {
        context.targeting_key().is_some_and(|key| self.users.contains(key.as_str()))
            || self.contain_address(context, trust)
    }

    fn contain_address(&self, context: &Context<'_>, trust: Trust) -> bool {
        if self.emails.is_empty() && self.domains.is_empty() {
            return false;
        }
        let counts = |address: &Address<'_>| trust == Trust::Any || address.is_verified();
        context.address().filter(counts).is_some_and(|address| {
            address.folded(|address| {
                self.emails.contains(address)
                    || domain_of(address).is_some_and(|domain| self.domains.contains(domain))
            })
        })
    }
}

/// A named set of users.
#[derive(Debug, PartialEq)]
pub struct Segment {
    pub key: SegmentKey,
    pub members: Members,
}

//! Collects what differs between two definitions.

use super::id_set::IdSet;
use super::segment::Members;

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The place in the file: `rollout.realtime-v2`, `deny 2 users`.
    pub what: String,
    /// `None` where there was nothing.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Collects the differences.
#[derive(Default)]
pub struct DiffBuilder(Vec<Difference>);

impl DiffBuilder {
    pub fn finish(self) -> Vec<Difference> {
        self.0
    }

    pub fn one(&mut self, what: &str, before: Option<String>, after: Option<String>) {
        if before != after {
            self.0.push(Difference { what: what.to_owned(), before, after });
        }
    }

    /// Lists of users, by how many are added and removed.
    pub fn members(&mut self, at: &str, old: &Members, new: &Members) {
        let Members { users, emails, domains } = old;
        for (what, old, new) in [
            ("users", users, &new.users),
            ("emails", emails, &new.emails),
            ("domains", domains, &new.domains),
        ] {
            if old != new {
                let after = format!(
                    "{} ({} new, {} gone)",
                    new.len(),
                    new.missing_in(old),
                    old.missing_in(new)
                );
                let shown = |set: &IdSet, text: String| (!set.is_empty()).then_some(text);
                self.one(
                    &format!("{at}{what}"),
                    shown(old, old.len().to_string()),
                    shown(new, after),
                );
            }
        }
    }
}

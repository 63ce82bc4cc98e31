//! Which change a rollback undoes, and what it brings back.

use std::sync::Arc;

use super::action::Action;
use super::book::FlagEntry;
use super::content::ContentId;
use super::record::{End, FlagRecord, Held, Mark, Pin};
use crate::flag::{Definition, Split, differences};

/// One revision of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub revision: u64,
    pub action: Action,
}

/// The newest change that is not a stop, a resume, a rollback or already rolled back. `steps` are the flag's, the newest first.
///
/// ```
/// use turnout::truth::{Action, PastStep, undoing};
/// let step = |revision, action| PastStep { revision, action };
/// let past = [step(3, Action::Set), step(2, Action::Set), step(1, Action::Define)];
/// assert_eq!(undoing(past), Some(3));
/// let walked_back = [step(4, Action::Rollback { to: 2 }), step(3, Action::Set), step(2, Action::Set), step(1, Action::Define)];
/// assert_eq!(undoing(walked_back), Some(2));
/// ```
pub fn undoing(steps: impl IntoIterator<Item = Step>) -> Option<u64> {
    // A rollback to a revision undid everything after it, other rollbacks too.
    let mut standing_up_to = u64::MAX;
    for Step { revision, action } in steps {
        match action {
            _ if revision > standing_up_to => {}
            Action::Rollback { to } => standing_up_to = to,
            Action::Define | Action::Set | Action::Unset | Action::Expire => return Some(revision),
            Action::Stop | Action::Resume | Action::Remove => {}
        }
    }
    None
}

/// What was in force at a revision.
#[derive(Clone, Debug)]
pub struct Then {
    pub revision: u64,
    pub definition: (ContentId, Arc<Definition>),
    pub split: Option<Split>,
    pub ends: Option<End>,
}

impl Then {
    /// The flag with what was in force then. A stop stays; a definition is pinned only where the file has moved on in more than its
    /// rollout, so that later edits of the rest are not kept out for nothing.
    pub fn brought_back(&self, current: &FlagEntry, mark: Mark) -> FlagEntry {
        let (id, then) = &self.definition;
        let only_rollout =
            |now: &Arc<Definition>| differences(then, now).iter().all(|found| found.what.starts_with("rollout."));
        let base = current.definition.as_ref().filter(|now| only_rollout(now));
        // What is pinned already stays as it is: then this is a change of the split alone, and may be live before it is committed.
        let pinned = current.record.pin.clone().filter(|pin| pin.definition == *id);
        let fresh = || Pin { definition: *id, of: self.revision, mark: mark.clone() };
        let pin = base.is_none().then(|| pinned.unwrap_or_else(fresh));
        let own = base.unwrap_or(then).rollout;
        let ends = self.ends.clone().filter(|end| end.at_ms > mark.at_ms);
        let held = || Held { split: self.split.unwrap_or_default(), mark: mark.clone(), ends: ends.clone() };
        let split = (own != self.split || ends.is_some()).then(held);
        let record = FlagRecord { pin, split, ..current.record.clone() };
        let pinned = record.pin.as_ref().map(|_| then.clone());
        FlagEntry { pinned, ..current.with(record) }
    }
}

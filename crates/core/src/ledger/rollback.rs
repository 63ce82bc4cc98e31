//! Which change a rollback undoes, and what it restores.

use std::sync::Arc;

use super::attribution::Attribution;
use super::blob::ContentHash;
use super::change::Action;
use super::entry::FlagEntry;
use super::planned_change::differs;
use super::record::{Expiry, FlagRecord, Pin, SplitOverride};
use super::unknown::Unknown;
use crate::flag::{Definition, Split, differences};

/// One revision of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastStep {
    pub revision: u64,
    pub action: Action,
}

/// Walks back through a flag's history, page by page, to the newest change that is not a stop, a
/// resume or a rollback, and was not rolled back already.
///
/// ```
/// use turnout_core::ledger::{Action, PastStep, UndoSearch};
/// let step = |revision, action| PastStep { revision, action };
/// let past = [step(3, Action::Set), step(2, Action::Set), step(1, Action::Define)];
/// assert_eq!(UndoSearch::default().find(past), Some(3));
///
/// let mut undoing = UndoSearch::default();
/// assert_eq!(undoing.find([step(4, Action::Rollback { to: 2 })]), None);
/// assert_eq!(undoing.before(), 3, "a rollback to a revision undid everything after it, other rollbacks too");
/// assert_eq!(undoing.find(past), Some(2));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct UndoSearch {
    before: u64,
    passed_a_resume: bool,
}

impl Default for UndoSearch {
    fn default() -> UndoSearch {
        UndoSearch { before: u64::MAX, passed_a_resume: false }
    }
}

impl UndoSearch {
    /// Only older steps than this can still matter.
    pub fn before(&self) -> u64 {
        self.before
    }

    /// Whether the flag was resumed after the change that was found.
    pub fn passed_a_resume(&self) -> bool {
        self.passed_a_resume
    }

    /// The change to undo, if it is among `steps`, which come newest first. Asked again, it finds the
    /// one before that.
    pub fn find(&mut self, steps: impl IntoIterator<Item = PastStep>) -> Option<u64> {
        for PastStep { revision, action } in steps {
            if revision >= self.before {
                continue;
            }
            match action {
                Action::Rollback { to } => self.before = revision.min(to.saturating_add(1)),
                Action::Define | Action::Set | Action::Unset | Action::Expire => {
                    self.before = revision;
                    return Some(revision);
                }
                Action::Resume => {
                    (self.before, self.passed_a_resume) = (revision, true);
                }
                Action::Stop | Action::Remove | Action::Create | Action::Revoke => {
                    self.before = revision;
                }
            }
        }
        None
    }
}

/// A flag's state in force at a revision.
#[derive(Clone, Debug)]
pub struct FlagAsOf {
    pub revision: u64,
    pub definition: (ContentHash, Arc<Definition>),
    pub split: Option<Split>,
    pub ends: Option<Expiry>,
    /// Whether a split was held then.
    pub is_held: bool,
    /// It was found by looking for the newest change, and the flag was resumed after that.
    pub is_before_resume: bool,
    /// Whether who rolls back may let go of what is held over the file.
    pub may_release: bool,
}

impl FlagAsOf {
    /// Whether going back makes the flag another one, and it was another one then: in what is in
    /// force, now or later, or in whether its file is. A file that is saved while a split is held over it is a change that
    /// leaves the flag as it was.
    pub fn is_other_than(&self, current: &FlagEntry, mark: &Attribution) -> bool {
        let restored = self.restore_onto(current, mark.clone());
        if !differs(&current.record, &restored.record) {
            return false;
        }
        let is_pinned = |entry: &FlagEntry| entry.record.pin.is_some();
        let is_held = is_pinned(current) || current.record.split.is_some();
        let end_of = |entry: &FlagEntry| entry.record.split.clone().and_then(|held| held.ends);
        let has_other_text = match (current.in_force(), restored.in_force()) {
            (Some(now), Some(then)) => !differ_in_rollout_alone(now, then),
            (now, then) => now.is_some() != then.is_some(),
        };
        has_other_text
            || is_pinned(current) != is_pinned(&restored)
            || is_held != (is_pinned(&restored) || self.is_held)
            || current.split() != restored.split()
            || end_of(current) != end_of(&restored)
    }

    /// The flag with the restored state. A stop stays. A definition is pinned only if the file has
    /// changed in more than its rollout, so that later edits of the rest are not blocked without
    /// need. A split that was held then is held again, also where the file says the same; and what
    /// is held now stays held by who may not let it go, as with a `set` to the split of then.
    pub fn restore_onto(&self, current: &FlagEntry, mark: Attribution) -> FlagEntry {
        let (id, then) = &self.definition;
        let base = current.definition.as_ref().filter(|now| differ_in_rollout_alone(then, now));
        // A definition that is pinned already stays as it is: then this changes only the split, and
        // may be live before it is committed.
        let pinned = current.record.pin.clone().filter(|pin| pin.definition == *id);
        let fresh = || Pin {
            definition: *id,
            of: self.revision,
            mark: mark.clone(),
            unknown: Unknown::default(),
        };
        let pin = base.is_none().then(|| pinned.unwrap_or_else(fresh));
        let own = base.unwrap_or(then).rollout;
        let is_kept = !self.may_release && current.record.split.is_some();
        let kept_end = || current.kept_end(self.split.unwrap_or_default()).filter(|_| is_kept);
        let ends = self.ends.clone().filter(|end| end.at_ms > mark.at_ms).or_else(kept_end);
        let held = || SplitOverride {
            split: self.split.unwrap_or_default(),
            mark: mark.clone(),
            ends: ends.clone(),
            unknown: Unknown::default(),
        };
        let is_held = own != self.split || ends.is_some() || self.is_held || is_kept;
        let split = is_held.then(held);
        let record = FlagRecord { pin, split, ..current.record.clone() };
        let pinned = record.pin.as_ref().map(|_| then.clone());
        FlagEntry { pinned, ..current.with(record) }
    }
}

fn differ_in_rollout_alone(one: &Definition, other: &Definition) -> bool {
    differences(one, other).iter().all(|found| found.what.starts_with("rollout."))
}

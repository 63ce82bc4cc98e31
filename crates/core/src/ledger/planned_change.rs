//! What a command changes, flag by flag, and which part of it may be live at once.

use std::sync::Arc;

use super::attribution::Attribution;
use super::change::{Action, Change};
use super::content_cache::ContentCache;
use super::entry::FlagEntry;
use super::narrowing::is_narrowing;
use super::pending::{Overlay, PendingChange};
use super::pending_set::PendingSet;
use super::record::{FlagRecord, SplitOverride};
use super::unknown::Unknown;
use crate::flag::FlagKey;

/// The changes that a command needs; none if the state already is as commanded.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    pub parts: Vec<PlannedChange>,
    /// The flags that already are as commanded. Of these only what a stop or a lower split can
    /// hold: see [`Decision::hold`].
    pub already: Vec<PlannedChange>,
    pub content: ContentCache,
}

/// The planned change of one flag.
#[derive(Clone, Debug)]
pub struct PlannedChange {
    pub flag: FlagKey,
    pub action: Action,
    pub before: Option<FlagEntry>,
    pub after: FlagEntry,
}

impl Decision {
    /// Makes parts of those flags that already are as commanded, and that a change under way may
    /// still open: laid over that change, the command holds when it has landed. One that is pending
    /// already holds as well, and is not made a second time.
    pub fn hold(&mut self, pending: &PendingSet, may_still_open: impl Fn(&FlagKey) -> bool) {
        let is_held =
            |part: &mut PlannedChange| may_still_open(&part.flag) && !part.is_laid_over(pending);
        self.parts.extend(self.already.extract_if(.., is_held));
    }

    /// The flags that are stopped, or that are to stay as they are. A command that is to open one of
    /// them, and came before, must not.
    pub fn kept_closed(&self) -> impl Iterator<Item = &FlagKey> {
        let is_kept = |part: &&PlannedChange| part.action == Action::Stop || !part.is_new();
        self.parts.iter().filter(is_kept).chain(&self.already).map(|part| &part.flag)
    }

    /// Whether every part narrows.
    pub fn is_narrowing(&self) -> bool {
        self.parts
            .iter()
            .all(|part| is_narrowing(&part.before.clone().unwrap_or_default(), &part.after))
    }

    /// Whether a held split or a pin is removed. From then on what the file says is in force, also
    /// when the file widens tomorrow or already waits to be committed. So a caller that may only
    /// narrow cannot do that, however low the file is now.
    pub fn releases(&self) -> bool {
        self.parts.iter().any(|part| {
            let old = part.before.as_ref().map(|entry| &entry.record);
            let new = &part.after.record;
            old.is_some_and(|old| {
                (old.split.is_some() && new.split.is_none())
                    || (old.pin.is_some() && new.pin.is_none())
            })
        })
    }

    /// The changes that may be live at once: all of them, or none if one part is more than a stop
    /// or a split.
    pub fn narrowed(&self, mark: &Attribution) -> Option<Vec<PendingChange>> {
        let mark = Arc::new(mark.clone());
        self.parts.iter().map(|part| part.narrowed(&mark)).collect()
    }

    pub fn changes(&self) -> Vec<Change> {
        let change = |part: &PlannedChange| {
            let before = part.before.as_ref().map(|entry| entry.record.clone());
            Change::of_flag(&part.flag, part.action, before, Some(part.after.record.clone()))
        };
        self.parts.iter().map(change).collect()
    }
}

impl PlannedChange {
    /// Whether the flag is not yet as the command wants it.
    pub fn is_new(&self) -> bool {
        self.before.as_ref().is_none_or(|before| differs(&before.record, &self.after.record))
    }

    /// Whether what this change makes so is pending.
    fn is_laid_over(&self, pending: &PendingSet) -> bool {
        let mut ops = pending.ops_of(self.flag.as_str());
        if self.action == Action::Stop {
            return ops.any(|op| matches!(op, Overlay::Stop(_)));
        }
        if self.keeps_pin() {
            return false;
        }
        let held = ops.filter_map(|op| match op {
            Overlay::Split { held, .. } => Some(held.as_ref()),
            _ => None,
        });
        held.last().is_some_and(|held| same_split(held, self.after.record.split.as_ref()))
    }

    /// Whether this is a rollback to a pin that is there: no overlay holds that over what removes it.
    fn keeps_pin(&self) -> bool {
        let is_rollback = matches!(self.action, Action::Rollback { .. });
        is_rollback && !self.is_new() && self.after.record.pin.is_some()
    }

    fn narrowed(&self, mark: &Arc<Attribution>) -> Option<PendingChange> {
        let before = self.before.clone().unwrap_or_default();
        if !is_narrowing(&before, &self.after) || self.keeps_pin() {
            return None;
        }
        let (old, new) = (&before.record, &self.after.record);
        let op = match (&old.stop, &new.stop) {
            (None, Some(stop)) if *stop == **mark => Overlay::Stop(Arc::clone(mark)),
            (None, Some(stop)) => Overlay::Stop(Arc::new(stop.clone())),
            (Some(_), Some(_)) if self.action == Action::Stop => Overlay::Stop(Arc::clone(mark)),
            _ if (old.definition, &old.pin) == (new.definition, &new.pin) => Overlay::Split {
                requested: self.after.split(),
                held: new.split.clone(),
                mark: Attribution::clone(mark),
                unknown: Unknown::default(),
            },
            _ => return None,
        };
        Some(PendingChange {
            flag: self.flag.clone(),
            action: self.action,
            op,
            unknown: Unknown::default(),
        })
    }
}

/// Whether the records differ in more than who made the change, when and why.
pub(super) fn differs(old: &FlagRecord, new: &FlagRecord) -> bool {
    let pin = |record: &FlagRecord| record.pin.as_ref().map(|pin| pin.definition);
    !same_split(old.split.as_ref(), new.split.as_ref())
        || (old.definition, pin(old), old.stop.is_some())
            != (new.definition, pin(new), new.stop.is_some())
}

/// Whether the same split is held, to the same end.
fn same_split(one: Option<&SplitOverride>, other: Option<&SplitOverride>) -> bool {
    let of = |held: &SplitOverride| (held.split, held.ends.clone());
    one.map(of) == other.map(of)
}

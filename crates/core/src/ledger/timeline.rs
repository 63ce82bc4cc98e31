//! The split of a flag at every later moment if no further command comes: the present one, and
//! after its expiry the one that follows.
//!
//! Narrowing is judged over the timeline, not over the present split alone: a command that lowers
//! today and opens everything in five minutes opens everything.

use super::entry::FlagEntry;
use super::record::{Expiry, SplitOverride};
use super::unknown::Unknown;
use crate::flag::Split;

/// A split for each moment; it changes at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    pub now: Split,
    /// The split from this moment on, in milliseconds since 1970. The moment may be past: then the
    /// change is due as soon as possible.
    pub later: Option<(i64, Split)>,
}

impl Timeline {
    /// The same split for ever; `None` means a split that opens nothing.
    pub fn constant(split: Option<Split>) -> Timeline {
        Timeline { now: split.unwrap_or_default(), later: None }
    }

    pub fn of_held(held: &SplitOverride) -> Timeline {
        Timeline::with(held.split, held.expiry())
    }

    /// The split that was asked for: an override's, or `requested` for ever.
    pub fn requested(requested: Option<Split>, held: &Option<SplitOverride>) -> Timeline {
        held.as_ref().map_or_else(|| Timeline::constant(requested), Timeline::of_held)
    }

    /// The split at a moment.
    pub fn at(self, at_ms: i64) -> Split {
        self.later.filter(|(from_ms, _)| *from_ms <= at_ms).map_or(self.now, |(_, split)| split)
    }

    /// Whether `realtime-v2` does not rise and `disabled` does not fall from `before` to this, at
    /// any moment.
    pub fn narrows(self, before: Timeline) -> bool {
        // The splits change only at these moments, and an expiry that is past may still be due.
        let changes = [self.later, before.later].into_iter().flatten().map(|(at_ms, _)| at_ms);
        [i64::MIN].into_iter().chain(changes).all(|at_ms| self.at(at_ms).narrows(before.at(at_ms)))
    }

    /// The lower `realtime-v2` and the higher `disabled` of both, at every moment. If the result
    /// would change twice, one change is left out by being narrower for a while: it is exact now,
    /// and never wider than either.
    pub fn narrowest(self, other: Timeline) -> Timeline {
        let at = |at_ms: i64| self.at(at_ms).narrowest(other.at(at_ms));
        let now = at(i64::MIN);
        let mut changes: Vec<i64> =
            [self.later, other.later].into_iter().flatten().map(|(at_ms, _)| at_ms).collect();
        changes.sort_unstable();
        let later = match changes[..] {
            [] => None,
            [only] => Some((only, at(only))),
            [first, last, ..] if at(first) == at(last) => Some((first, at(last))),
            // A change that opens waits from the first moment to the second; a change that closes
            // does not.
            [_, last] if now.narrows(at(changes[0])) => Some((last, at(last))),
            [first, last, ..] => Some((first, at(first).narrowest(at(last)))),
        };
        Timeline::with(now, later)
    }

    fn with(now: Split, later: Option<(i64, Split)>) -> Timeline {
        Timeline { now, later: later.filter(|(_, split)| *split != now) }
    }
}

impl SplitOverride {
    /// The split after the expiry, and when; `None` without an expiry, or for one that does not
    /// happen because it would widen and was not named.
    pub fn expiry(&self) -> Option<(i64, Split)> {
        let end = self.ends.as_ref()?;
        let split = end.split.unwrap_or_default();
        (end.named || split.narrows(self.split)).then_some((end.at_ms, split))
    }
}

impl FlagEntry {
    /// The split at every later moment if no further command comes; stops are ignored.
    pub fn timeline(&self) -> Timeline {
        self.record
            .split
            .as_ref()
            .map_or_else(|| Timeline::constant(self.split()), Timeline::of_held)
    }

    /// What remains of the present expiry after a lower split is held without an expiry of its own:
    /// an expiry that lowers further stays, as far as it lowers. Holding the same split or a higher
    /// one without an expiry removes the expiry.
    pub(super) fn kept_end(&self, split: Split) -> Option<Expiry> {
        let named = self.record.split.as_ref()?.ends.as_ref()?.named;
        let before = self.timeline();
        let lowers = split != before.now && split.narrows(before.now);
        let (at_ms, then) = before.later.filter(|_| lowers)?;
        let then = then.narrowest(split);
        (then != split).then_some(Expiry {
            at_ms,
            split: Some(then),
            named,
            unknown: Unknown::default(),
        })
    }
}

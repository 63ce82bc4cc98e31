//! The expiry of held splits.

use std::collections::BTreeSet;

use super::attribution::Attribution;
use super::change::Action;
use super::effective::EffectiveState;
use super::entry::FlagEntry;
use super::pending::Overlay;
use super::planned_change::{Decision, PlannedChange};
use super::record::{Expiry, FlagRecord, SplitOverride};
use super::unknown::Unknown;
use crate::flag::FlagKey;
use crate::moment::Due;

/// The splits that expire now, and those that may not.
#[derive(Debug, Default)]
pub struct DueExpiries {
    pub decided: Decision,
    /// Splits whose expiry would widen although the operator did not name what follows: they stay.
    pub refused: Vec<FlagKey>,
    /// How many milliseconds until a clock reaches the next expiry.
    pub next_in_ms: Option<i64>,
}

/// The splits that expire now; `due` returns which clocks have reached the expiry of a flag's
/// split. An expiry that narrows needs one clock, an expiry that widens needs both.
pub fn expire(
    state: &EffectiveState,
    now_ms: i64,
    due: impl Fn(&FlagKey, &Expiry) -> Due,
) -> DueExpiries {
    let mut expiry = DueExpiries::default();
    for key in may_end(state) {
        let Some(current) = state.flag(key.as_str()) else { continue };
        let Some(held) = &current.record.split else { continue };
        let Some(ends) = &held.ends else { continue };
        match due(key, ends) {
            Due::Not { in_ms } => expiry.comes_in(in_ms),
            Due::ByOne { in_ms } if !first_step_narrows(held, ends) => expiry.comes_in(in_ms),
            _ if held.expiry().is_none() => expiry.refused.push(key.clone()),
            Due::ByOne { .. } | Due::ByBoth => {
                let Some(after) = ended(&current, held, ends, now_ms) else { continue };
                let part = PlannedChange {
                    flag: key.clone(),
                    action: Action::Expire,
                    before: Some(current),
                    after,
                };
                expiry.decided.parts.push(part);
            }
        }
    }
    expiry
}

impl DueExpiries {
    fn comes_in(&mut self, in_ms: i64) {
        self.next_in_ms = Some(self.next_in_ms.map_or(in_ms, |next| next.min(in_ms)));
    }
}

/// Whether the first step of an expiry only narrows.
fn first_step_narrows(held: &SplitOverride, ends: &Expiry) -> bool {
    let wanted = ends.split.unwrap_or_default();
    held.split.narrowest(wanted) != held.split || wanted == held.split
}

/// The flags that may hold a split with an expiry: in the database's state, and in the pending one.
fn may_end(state: &EffectiveState) -> BTreeSet<&FlagKey> {
    let has_end =
        |held: &Option<SplitOverride>| held.as_ref().is_some_and(|held| held.ends.is_some());
    let in_catalog =
        state.catalog.flags().filter(|(_, entry)| has_end(&entry.record.split)).map(|(key, _)| key);
    let brings_end = |op: &Overlay| matches!(op, Overlay::Split { held, .. } if has_end(held));
    let pending = state
        .pending()
        .flags()
        .filter(|flag| state.pending().ops_of(flag.as_str()).any(brings_end));
    in_catalog.chain(pending).collect()
}

/// The flag after its expiry. An expiry that lowers one share and raises another takes two steps:
/// the lowering does not wait for what needs the database.
fn ended(
    current: &FlagEntry,
    held: &SplitOverride,
    ends: &Expiry,
    now_ms: i64,
) -> Option<FlagEntry> {
    let own = current.in_force()?.rollout;
    let mark = Attribution {
        by: "expiry".into(),
        at_ms: now_ms,
        reason: held.mark.reason.clone(),
        unknown: Unknown::default(),
    };
    let wanted = ends.split.unwrap_or_default();
    let lower = held.split.narrowest(wanted);
    let split = match () {
        () if lower != held.split && lower != wanted => Some(SplitOverride {
            split: lower,
            mark,
            ends: Some(ends.clone()),
            unknown: Unknown::default(),
        }),
        () if own != ends.split => {
            Some(SplitOverride { split: wanted, mark, ends: None, unknown: Unknown::default() })
        }
        () => None,
    };
    Some(current.with(FlagRecord { split, ..current.record.clone() }))
}

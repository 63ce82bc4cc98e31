//! Held splits that reach their end.

use std::collections::BTreeSet;

use super::action::Action;
use super::book::FlagEntry;
use super::pending::Op;
use super::record::{End, FlagRecord, Held, Mark};
use super::standing::Truth;
use super::unknown::Unknown;
use super::wish::{Decided, Part};
use crate::flag::FlagKey;
use crate::moment::Due;

/// What ends, and what may not end by itself.
#[derive(Debug, Default)]
pub struct Expiry {
    pub decided: Decided,
    /// Splits whose end would widen without having been named: they stay.
    pub refused: Vec<FlagKey>,
    /// In how many milliseconds a clock comes to the next one.
    pub next_in_ms: Option<i64>,
}

/// What ends now; `due` says which clocks have come to the end of a flag's split. An end that narrows goes by the first of them, one that
/// widens by both.
pub fn expire(truth: &Truth, now_ms: i64, due: impl Fn(&FlagKey, &End) -> Due) -> Expiry {
    let mut expiry = Expiry::default();
    for key in may_end(truth) {
        let Some(current) = truth.flag(key.as_str()) else { continue };
        let Some(held) = &current.record.split else { continue };
        let Some(ends) = &held.ends else { continue };
        match due(key, ends) {
            Due::Not { in_ms } => expiry.comes_in(in_ms),
            Due::ByOne { in_ms } if !first_step_narrows(held, ends) => expiry.comes_in(in_ms),
            _ if held.then().is_none() => expiry.refused.push(key.clone()),
            Due::ByOne { .. } | Due::ByBoth => {
                let Some(after) = ended(&current, held, ends, now_ms) else { continue };
                let part = Part { flag: key.clone(), action: Action::Expire, before: Some(current), after };
                expiry.decided.parts.push(part);
            }
        }
    }
    expiry
}

impl Expiry {
    fn comes_in(&mut self, in_ms: i64) {
        self.next_in_ms = Some(self.next_in_ms.map_or(in_ms, |next| next.min(in_ms)));
    }
}

/// Whether what an end does first opens nothing.
fn first_step_narrows(held: &Held, ends: &End) -> bool {
    let wanted = ends.split.unwrap_or_default();
    held.split.meet(wanted) != held.split || wanted == held.split
}

/// The flags that may hold a split with an end: as the store has them, and as what is pending may have them.
fn may_end(truth: &Truth) -> BTreeSet<&FlagKey> {
    let has_end = |held: &Option<Held>| held.as_ref().is_some_and(|held| held.ends.is_some());
    let in_book = truth.book.flags().filter(|(_, entry)| has_end(&entry.record.split)).map(|(key, _)| key);
    let brings_end = |op: &Op| matches!(op, Op::Split { held, .. } if has_end(held));
    let pending = truth.pending().flags().filter(|flag| truth.pending().ops_of(flag.as_str()).any(brings_end));
    in_book.chain(pending).collect()
}

/// The flag at its end. One that lowers in part and raises in part takes two steps: what lowers does not wait for what needs the database.
fn ended(current: &FlagEntry, held: &Held, ends: &End, now_ms: i64) -> Option<FlagEntry> {
    let own = current.in_force()?.rollout;
    let mark = Mark { by: "expiry".into(), at_ms: now_ms, reason: held.mark.reason.clone(), unknown: Unknown::default() };
    let wanted = ends.split.unwrap_or_default();
    let lower = held.split.meet(wanted);
    let split = match () {
        () if lower != held.split && lower != wanted => {
            Some(Held { split: lower, mark, ends: Some(ends.clone()), unknown: Unknown::default() })
        }
        () if own != ends.split => Some(Held { split: wanted, mark, ends: None, unknown: Unknown::default() }),
        () => None,
    };
    Some(current.with(FlagRecord { split, ..current.record.clone() }))
}

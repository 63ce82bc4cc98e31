//! Whether a change narrows: decided by its shape alone, and in doubt it does not.
//!
//! A narrowing change may be live before it is committed, and none of the gates for what widens looks
//! at it. So it must never open `realtime-v2` to more users, now or at any expiry it brings, moves or
//! removes.

use std::sync::Arc;

use super::entry::FlagEntry;
use crate::flag::{Baseline, Definition, Share, Split, Strategy, differences};

/// True where the record stays as it is, also of a flag without a definition; for a stop, whatever
/// expiries are held; for a split over the same definition in which `realtime-v2` does not rise and
/// `disabled` does not fall, at this and every later moment; for a definition that differs only in
/// its rollout in that way, or in `enabled: false`, or in both. A definition that a command pins must not take
/// users out of `disabled` by it, as a file may.
pub fn is_narrowing(before: &FlagEntry, after: &FlagEntry) -> bool {
    if before.record == after.record {
        return true;
    }
    let mut stopped = before.record.clone();
    stopped.stop = after.record.stop.clone();
    if before.record.stop.is_none() && after.record.stop.is_some() {
        return stopped == after.record;
    }
    if before.record.stop != after.record.stop {
        return false;
    }
    let (Some(old), Some(new)) = (before.in_force(), after.in_force()) else { return false };
    // A file may switch a flag off for all who had `disabled`, as a stop does. What a command pins is
    // kept over later files, so there it counts.
    if before.record.pin != after.record.pin && takes_out_of_disabled(before.split(), old, new) {
        return false;
    }
    let given = match (&before.definition, &after.definition) {
        (Some(old), Some(new)) => narrows_as_written(old, new),
        _ => false,
    };
    given && narrows_as_written(old, new) && after.timeline().narrows(before.timeline())
}

fn narrows_as_written(old: &Arc<Definition>, new: &Arc<Definition>) -> bool {
    if Arc::ptr_eq(old, new) {
        return true;
    }
    let found = differences(old, new);
    let only = |what: fn(&str) -> bool| found.iter().all(|difference| what(&difference.what));
    only(|what| what == "enabled" || what.starts_with("rollout."))
        && (old.enabled || !new.enabled)
        && narrows(old.rollout, new.rollout)
}

/// Whether switching off may give `polling` to users who had `disabled`.
fn takes_out_of_disabled(split: Option<Split>, old: &Definition, new: &Definition) -> bool {
    let entries = old.deny.iter().chain(&old.allow).map(|entry| entry.strategy);
    let mut given = entries.chain(old.rules.iter().map(|rule| rule.strategy));
    let may_disable = old.default == Baseline::Disabled
        || split.is_some_and(|split| split.disabled() != Share::NONE)
        || given.any(|strategy| strategy == Strategy::Disabled);
    old.enabled && !new.enabled && new.when_stopped != Baseline::Disabled && may_disable
}

fn narrows(before: Option<Split>, after: Option<Split>) -> bool {
    after.unwrap_or_default().narrows(before.unwrap_or_default())
}

//! Whether a change narrows: decided by its shape alone, and in doubt it does not.
//!
//! A narrowing change may be live before it is committed, and skips every gate. So it must never
//! open `realtime-v2` to more users, now or at any expiry it brings, moves or removes.

use std::sync::Arc;

use super::entry::FlagEntry;
use crate::flag::{Definition, Split, differences};

/// True for a stop, whatever expiries are held; for a split over the same definition in which
/// `realtime-v2` does not rise and `disabled` does not fall, at this and every later moment; for a
/// definition that differs in its rollout in that way, or only in `enabled: false`.
pub fn is_narrowing(before: &FlagEntry, after: &FlagEntry) -> bool {
    let mut stopped = before.record.clone();
    stopped.stop = after.record.stop.clone();
    if before.record.stop.is_none() && after.record.stop.is_some() {
        return stopped == after.record;
    }
    if before.record.stop != after.record.stop {
        return false;
    }
    let (Some(old), Some(new)) = (before.in_force(), after.in_force()) else { return false };
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
    match () {
        () if only(|what| what == "enabled") => old.enabled || old.enabled == new.enabled,
        () if only(|what| what.starts_with("rollout.")) => narrows(old.rollout, new.rollout),
        () => false,
    }
}

fn narrows(before: Option<Split>, after: Option<Split>) -> bool {
    after.unwrap_or_default().narrows(before.unwrap_or_default())
}

//! Held splits that reach their end.

use super::action::Action;
use super::book::FlagEntry;
use super::record::{FlagRecord, Held, Mark};
use super::standing::Truth;
use super::wish::{Decided, Part};
use crate::flag::FlagKey;

/// What ends, and what may not end by itself.
#[derive(Debug, Default)]
pub struct Expiry {
    pub decided: Decided,
    /// Splits whose end would widen without having been named: they stay.
    pub refused: Vec<FlagKey>,
    /// When the next one ends, in milliseconds since 1970.
    pub next_ms: Option<i64>,
}

/// What ends at `now_ms`.
pub fn expire(truth: &Truth, now_ms: i64) -> Expiry {
    let mut expiry = Expiry::default();
    for (key, entry) in truth.book.flags() {
        let Some(ends) = entry.record.split.as_ref().and_then(|held| held.ends.as_ref()) else { continue };
        if ends.at_ms > now_ms {
            expiry.next_ms = Some(expiry.next_ms.map_or(ends.at_ms, |next| next.min(ends.at_ms)));
            continue;
        }
        let Some(current) = truth.flag(key.as_str()) else { continue };
        // What is pending may hold another split in its place, with an end of its own.
        let Some(after) = ended(&current, now_ms) else { continue };
        let narrows = after.split().unwrap_or_default().narrows(current.split().unwrap_or_default());
        match narrows || ends.named {
            true => expiry.decided.parts.push(Part { flag: key.clone(), action: Action::Expire, before: Some(current), after }),
            false => expiry.refused.push(key.clone()),
        }
    }
    expiry
}

fn ended(current: &FlagEntry, now_ms: i64) -> Option<FlagEntry> {
    let held = current.record.split.as_ref()?;
    let ends = held.ends.as_ref().filter(|ends| ends.at_ms <= now_ms)?;
    let own = current.in_force()?.rollout;
    let mark = Mark { by: "expiry".to_owned(), at_ms: now_ms, reason: held.mark.reason.clone() };
    let back = || Held { split: ends.split.unwrap_or_default(), mark, ends: None };
    let split = (own != ends.split).then(back);
    Some(current.with(FlagRecord { split, ..current.record.clone() }))
}

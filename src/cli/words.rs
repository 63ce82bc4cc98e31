//! Flags, changes and who made them, in words.

use turnout_api::admin::flags::{Attribution, FlagState, Split};
use turnout_api::admin::history::{Change, SubjectKind};

use super::time;

/// How a server writes what a state serves, which is an arrow to people.
const SERVES: &str = " -> ";

/// One change of a revision: `set build-events realtime-v2 10% -> 25%`.
pub fn change(change: &Change) -> String {
    let (was, is) = (change.was.as_deref().unwrap_or(""), change.is.as_deref().unwrap_or(""));
    let Change { action, key, .. } = change;
    if change.kind == SubjectKind::Credential {
        // Whose credential it is and what it may do; its expiry stands in the list.
        let words = if is.is_empty() { was } else { is };
        let whose =
            words.split(", until ").next().unwrap_or_default().trim_end_matches(", REVOKED");
        return format!("{action} {key} {whose}");
    }
    let moved = match (was.is_empty(), is.is_empty()) {
        (_, true) => String::new(),
        (true, false) => format!(" {is}"),
        (false, false) => format!(" {}", arrow(was, is)),
    };
    let back_to = change.back_to.map(|to| format!(" to {to}")).unwrap_or_default();
    format!("{action} {key}{back_to}{moved}")
}

/// What is live, in words: `realtime-v2 10%`, `STOPPED (polling)`.
pub fn serving(live: &str) -> String {
    match live.split_once(SERVES) {
        Some((state, strategy)) => format!("{state} ({strategy})"),
        None => live.to_owned(),
    }
}

/// `realtime-v2 10% -> 25%`, `STOPPED -> realtime-v2 1%`: one arrow; a part that stays is printed
/// once.
pub fn arrow(was: &str, is: &str) -> String {
    const SHARE: &str = "realtime-v2 ";
    let before = was.split(SERVES).next().unwrap_or_default();
    let after = serving(is);
    match after.strip_prefix(SHARE) {
        _ if was == is => after,
        Some(share) if before.starts_with(SHARE) => format!("{before} -> {share}"),
        _ => format!("{before} -> {after}"),
    }
}

/// `   held by oncall until 16:02`.
pub fn held(flag: Option<&FlagState>) -> String {
    let Some(held) = flag.and_then(|flag| flag.overrides.held.as_ref()) else {
        return String::new();
    };
    let until = held.ends.as_ref().map(|end| format!(" until {}", time::at(end.at_ms)));
    format!("   held by {}{}", held.mark.by, until.unwrap_or_default())
}

/// A split in words: `realtime-v2 10%, disabled 5%`.
pub fn split(split: Option<&Split>) -> String {
    match split {
        None => "what the file says".to_owned(),
        Some(Split { realtime, disabled }) if disabled == "0%" => format!("realtime-v2 {realtime}"),
        Some(Split { realtime, disabled }) => {
            format!("realtime-v2 {realtime}, disabled {disabled}")
        }
    }
}

/// Who did something, when and why: `oncall at 02:41 (incident 4711)`.
pub fn mark(mark: &Attribution) -> String {
    let reason = mark.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{} at {}{reason}", mark.by, time::at(mark.at_ms))
}

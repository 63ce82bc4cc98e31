//! Flags, changes and who made them, in words.

use turnout_api::admin::flags::{Attribution, End, FlagState, Split};
use turnout_api::admin::history::{ActionName, Change, ChangeEffect, SubjectKind};

use super::time;
use crate::clock;

/// How a server writes what a state serves, which is an arrow to people.
const SERVES: &str = " -> ";
const SHARE: &str = "realtime-v2 ";

/// One change of a revision, what was asked for and then what became of it:
/// `set chat 10% -> 25%`, `file chat 30% -> 60% (not live: held at 33%)`.
pub fn change(change: &Change) -> String {
    let Change { action, key, was, is, .. } = change;
    let (was, is) = (was.as_deref().unwrap_or(""), is.as_deref().unwrap_or(""));
    let verb = if *action == ActionName::Define { "file" } else { action.as_str() };
    match change.kind {
        SubjectKind::Credential => {
            // Whose credential it is and what it may do; its expiry stands in the list.
            let words = if is.is_empty() { was } else { is };
            let whose =
                words.split(", until ").next().unwrap_or_default().trim_end_matches(", REVOKED");
            return format!("{verb} {key} {whose}");
        }
        SubjectKind::Segment => return format!("{verb} segment {key}"),
        SubjectKind::Flag => {}
    }
    let requested = change.requested.as_ref();
    let (was, wanted) =
        requested.map_or((was, is), |asked| (asked.was.as_deref().unwrap_or(""), &*asked.is));
    let moved = match (was.is_empty(), wanted.is_empty()) {
        (_, true) => String::new(),
        (true, false) => format!(" {}", short(wanted)),
        (false, false) => format!(" {}", short_arrow(was, wanted)),
    };
    let back_to = change.back_to.map(|to| format!(" to {to}:")).unwrap_or_default();
    let effect = effect(change, wanted).map(|effect| format!(" ({effect})")).unwrap_or_default();
    format!("{verb} {key}{back_to}{moved}{effect}")
}

/// What clients got of a change, where that is not what was asked for.
fn effect(change: &Change, wanted: &str) -> Option<String> {
    let live = short(change.is.as_deref().unwrap_or_default());
    Some(match change.effect? {
        ChangeEffect::Unchanged => "nothing changes for users".to_owned(),
        ChangeEffect::Stopped => "not live: stopped".to_owned(),
        ChangeEffect::Held => format!("not live: held at {live}"),
        ChangeEffect::Pinned => "not live: an earlier file is held".to_owned(),
        ChangeEffect::Off => "not live: its file says `enabled: false`".to_owned(),
        // Of a file that changes more than its share, the rest is live.
        ChangeEffect::Live if change.requested.is_some() && live != short(wanted) => {
            format!("live, with its share held at {live}")
        }
        ChangeEffect::Live | ChangeEffect::Unknown => return None,
    })
}

/// The same with nothing but the shares of realtime-v2: `10%`, `STOPPED (polling)`.
pub fn short(live: &str) -> String {
    let text = serving(live);
    text.strip_prefix(SHARE).map(str::to_owned).unwrap_or(text)
}

/// `10% -> 25%`, `STOPPED -> 1%`.
pub fn short_arrow(was: &str, is: &str) -> String {
    let before = was.split(SERVES).next().unwrap_or_default();
    if was == is { short(is) } else { format!("{} -> {}", short(before), short(is)) }
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
    let before = was.split(SERVES).next().unwrap_or_default();
    let after = serving(is);
    match after.strip_prefix(SHARE) {
        _ if was == is => after,
        Some(share) if before.starts_with(SHARE) => format!("{before} -> {share}"),
        _ => format!("{before} -> {after}"),
    }
}

/// Whether a split was to end by now and did not: what was before would widen, and was not named.
pub fn is_passed_over(end: &End) -> bool {
    !end.named && end.at_ms < clock::wall_ms()
}

/// `   held by oncall until 16:02`, and what was named for then: `, then 20%`.
pub fn held(flag: Option<&FlagState>) -> String {
    let Some(held) = flag.and_then(|flag| flag.overrides.held.as_ref()) else {
        return String::new();
    };
    let until = held.ends.as_ref().filter(|end| !is_passed_over(end)).map(|end| {
        let then = end.split.as_ref().filter(|_| end.named);
        let then = then.map(|then| format!(", then {}", short(&split(Some(then)))));
        format!(" until {}{}", time::at(end.at_ms), then.unwrap_or_default())
    });
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

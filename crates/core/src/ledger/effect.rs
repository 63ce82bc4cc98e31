//! What a change of a flag asked for, and what clients got of it: derived from what was recorded
//! before and after it, which every revision holds.

use std::sync::Arc;

use turnout_api::admin::history::ChangeEffect;

use super::change::Action;
use super::entry::FlagEntry;
use super::served::Served;
use crate::flag::{Definition, differences};

/// What a change of a flag asked for, before and after it: of a file its own rollout, of a command
/// the rollout that the flag has when it is not stopped. `None` for a stop and a resume, which ask
/// for nothing but what they do, and where the definition cannot be read.
pub fn requested_by(action: Action, before: &FlagEntry, after: &FlagEntry) -> Option<Requested> {
    let definition = |entry: &FlagEntry| match action {
        Action::Define => entry.definition.clone(),
        _ => entry.in_force().cloned(),
    };
    let is_off = |entry| definition(entry).is_some_and(|definition| !definition.enabled);
    // Of a flag that is off before and after, the share is what changed.
    let stays_off = is_off(before) && is_off(after);
    let asked = |entry: &FlagEntry| {
        let definition = definition(entry)?;
        let split = match action {
            Action::Define => definition.rollout,
            _ => entry.split(),
        };
        Some(if stays_off {
            Served::Rollout(split, definition.default.into())
        } else {
            Served::by(&definition, split)
        })
    };
    match action {
        Action::Define | Action::Set | Action::Unset | Action::Rollback { .. } | Action::Expire => {
            Some(Requested { was: asked(before), is: asked(after)? })
        }
        Action::Stop | Action::Resume | Action::Remove | Action::Create | Action::Revoke => None,
    }
}

/// What was asked for before a change, and with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requested {
    pub was: Option<Served>,
    pub is: Served,
}

/// What clients got of a change of a flag; `None` where it cannot be said.
pub fn effect_of(action: Action, before: &FlagEntry, after: &FlagEntry) -> Option<ChangeEffect> {
    let is_stopped = after.record.stop.is_some();
    if before.record.stop.is_some() != is_stopped {
        return Some(ChangeEffect::Live);
    }
    if matches!(action, Action::Stop | Action::Resume) {
        return Some(ChangeEffect::Unchanged);
    }
    let (old, new) = match (before.in_force(), after.in_force()) {
        (Some(old), Some(new)) => (old, new),
        (None, Some(_)) if is_stopped => return Some(ChangeEffect::Stopped),
        (None, Some(_)) if before.record.definition.is_none() => return Some(ChangeEffect::Live),
        _ => return None,
    };
    let other_when_stopped = old.when_stopped != new.when_stopped;
    if is_stopped {
        let hidden = !other_when_stopped;
        return Some(if hidden { ChangeEffect::Stopped } else { ChangeEffect::Live });
    }
    if !old.enabled && !new.enabled {
        let hidden = !other_when_stopped;
        return Some(if hidden { ChangeEffect::Off } else { ChangeEffect::Live });
    }
    if before.split() != after.split() || clients_see_another(old, new) {
        return Some(ChangeEffect::Live);
    }
    Some(match (action, &after.record.pin, &after.record.split) {
        (Action::Define, Some(_), _) => ChangeEffect::Pinned,
        (Action::Define, None, Some(_)) if old.rollout != new.rollout => ChangeEffect::Held,
        _ => ChangeEffect::Unchanged,
    })
}

/// Whether the definitions differ in more than their rollout and their description.
fn clients_see_another(old: &Arc<Definition>, new: &Arc<Definition>) -> bool {
    let is_own =
        |what: &str| matches!(what, "description" | "owner") || what.starts_with("rollout.");
    !Arc::ptr_eq(old, new)
        && differences(old, new).iter().any(|difference| !is_own(&difference.what))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{
        Attribution, ContentCache, ContentHash, FlagRecord, Pin, SplitOverride, Unknown,
    };
    use super::*;
    use crate::flag::{FlagKey, Share, Split};

    /// A flag whose file says `file`, with what is held over it, such as `held 33` or `stop`.
    fn entry(file: &str, over: &[&str]) -> FlagEntry {
        let key: FlagKey = "chat".parse().unwrap();
        let mut content = ContentCache::default();
        let mut blob = |rest: &str| {
            let enabled = if rest.contains("enabled") { "" } else { "enabled: true\n" };
            let text = format!(
                "version: 1\nflag: chat\n{enabled}when_stopped: polling\ndefault: polling\n{rest}\n"
            );
            let id = ContentHash::of(text.as_bytes());
            content.blobs.insert(id, text.into_bytes().into());
            id
        };
        let mark = Attribution::of_turnout(1, "test");
        let pinned = blob("rollout: { realtime-v2: 5% }");
        let definition = Some(blob(file));
        let mut record = FlagRecord { definition, ..FlagRecord::default() };
        for over in over {
            match over.split_once(' ') {
                Some(("held", share)) => {
                    let share: Share = format!("{share}%").parse().unwrap();
                    let split = Split::new(share, Share::NONE).unwrap();
                    let (mark, unknown) = (mark.clone(), Unknown::default());
                    record.split = Some(SplitOverride { split, mark, ends: None, unknown });
                }
                None if *over == "stop" => record.stop = Some(mark.clone()),
                _ => {
                    let (mark, unknown) = (mark.clone(), Unknown::default());
                    record.pin = Some(Pin { definition: pinned, of: 1, mark, unknown });
                }
            }
        }
        content.read_flag(&key, &record).unwrap();
        content.entry(record)
    }

    #[test]
    fn each_change_has_what_was_asked_for_and_its_effect() {
        const FILE: [&str; 2] = ["rollout: { realtime-v2: 30% }", "rollout: { realtime-v2: 60% }"];
        const OFF: [&str; 2] = [
            "enabled: false\nrollout: { realtime-v2: 30% }",
            "enabled: false\nrollout: { realtime-v2: 60% }",
        ];
        const RULE: &str =
            "rollout: { realtime-v2: 30% }\nallow: [{ users: [u-1], strategy: realtime-v2 }]";
        const OWNED: &str = "owner: team\nrollout: { realtime-v2: 30% }";
        let [thirty, sixty] = FILE;
        let rollback = Action::Rollback { to: 1 };
        use ChangeEffect::{Held, Live, Off, Pinned, Stopped, Unchanged};
        type State<'a> = (&'a str, &'a [&'a str]);
        let table: &[(Action, State, State, &str, ChangeEffect)] = &[
            (Action::Define, (thirty, &[]), (sixty, &[]), "30% -> 60%", Live),
            (Action::Define, (thirty, &["held 33"]), (sixty, &["held 33"]), "30% -> 60%", Held),
            (Action::Define, (thirty, &["stop"]), (sixty, &["stop"]), "30% -> 60%", Stopped),
            (Action::Define, (thirty, &["pin"]), (sixty, &["pin"]), "30% -> 60%", Pinned),
            (Action::Define, (OFF[0], &[]), (OFF[1], &[]), "30% -> 60%", Off),
            (Action::Define, (OFF[0], &[]), (thirty, &[]), "off -> polling -> 30%", Live),
            (Action::Define, (thirty, &[]), (RULE, &[]), "30% -> 30%", Live),
            (Action::Define, (thirty, &["held 33"]), (RULE, &["held 33"]), "30% -> 30%", Live),
            (Action::Define, (thirty, &["stop"]), (RULE, &["stop"]), "30% -> 30%", Stopped),
            (Action::Define, (thirty, &[]), (OWNED, &[]), "30% -> 30%", Unchanged),
            (Action::Set, (thirty, &[]), (thirty, &["held 20"]), "30% -> 20%", Live),
            (Action::Set, (thirty, &[]), (thirty, &["held 30"]), "30% -> 30%", Unchanged),
            (Action::Set, (thirty, &["stop"]), (thirty, &["stop", "held 4"]), "30% -> 4%", Stopped),
            (Action::Set, (OFF[0], &[]), (OFF[0], &["held 4"]), "30% -> 4%", Off),
            (Action::Unset, (thirty, &["held 33"]), (thirty, &[]), "33% -> 30%", Live),
            (Action::Unset, (thirty, &["pin"]), (thirty, &[]), "5% -> 30%", Live),
            (
                Action::Unset,
                (thirty, &["stop", "held 9"]),
                (thirty, &["stop"]),
                "9% -> 30%",
                Stopped,
            ),
            (rollback, (thirty, &["held 33"]), (thirty, &["held 9"]), "33% -> 9%", Live),
            (rollback, (thirty, &["stop"]), (thirty, &["stop", "held 9"]), "30% -> 9%", Stopped),
            (Action::Expire, (thirty, &["held 33"]), (thirty, &["held 9"]), "33% -> 9%", Live),
            (Action::Stop, (thirty, &[]), (thirty, &["stop"]), "", Live),
            (Action::Stop, (thirty, &["stop"]), (thirty, &["stop"]), "", Unchanged),
            (Action::Resume, (thirty, &["stop"]), (thirty, &[]), "", Live),
        ];
        for (action, before, after, requested, effect) in table {
            let what = format!("{action:?} {before:?} {after:?}");
            let (before, after) = (entry(before.0, before.1), entry(after.0, after.1));
            let asked = requested_by(*action, &before, &after).map(|Requested { was, is }| {
                format!("{} -> {is}", was.unwrap()).replace("realtime-v2 ", "")
            });
            assert_eq!(asked.unwrap_or_default(), *requested, "{what}");
            assert_eq!(effect_of(*action, &before, &after), Some(*effect), "{what}");
        }
    }

    #[test]
    fn the_first_of_a_flag_is_live_and_what_does_not_read_is_not_guessed() {
        let (nothing, flag) = (FlagEntry::default(), entry("rollout: { realtime-v2: 3% }", &[]));
        assert_eq!(effect_of(Action::Define, &nothing, &flag), Some(ChangeEffect::Live));
        let requested = requested_by(Action::Define, &nothing, &flag).unwrap();
        assert_eq!((requested.was, requested.is.to_string().as_str()), (None, "realtime-v2 3%"));
        let unread = FlagEntry { definition: None, ..flag.clone() };
        assert_eq!(effect_of(Action::Set, &unread, &flag), None);
        assert_eq!(effect_of(Action::Set, &flag, &unread), None);
        assert_eq!(requested_by(Action::Set, &flag, &unread), None);
    }
}

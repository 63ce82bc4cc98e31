//! What the answer to a command says: what an operator must not overlook, and how to take it back.

use turnout_api::admin::flags::FlagStatus;

use super::view;
use crate::clock;
use crate::ledger::{
    Action, Command, EffectiveState, FlagRecord, PlannedChange, SplitOverride, is_narrowing,
};
use crate::telemetry::ago;

/// Who may do what widens, where the caller may not.
pub(super) const MAY_WIDEN: &str = "only the role operator or admin";

/// What an operator must not overlook.
pub(super) fn notes(
    effective: &EffectiveState,
    command: &Command,
    parts: &[PlannedChange],
    is_saved: bool,
    may_widen: bool,
) -> Vec<String> {
    let mut notes = Vec::new();
    let Some((flag, entry)) =
        command.flag().and_then(|flag| Some((flag, effective.flag(flag.as_str())?)))
    else {
        return notes;
    };
    let is_rollback = matches!(command, Command::Rollback { .. });
    let not_live = match (parts.is_empty(), is_saved) {
        (true, _) => "",
        (false, true) => "saved, NOT live: ",
        (false, false) => "NOT live: ",
    };
    if let (Some(stop), false) = (&entry.record.stop, matches!(command, Command::Stop { .. })) {
        let reason = stop.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let resume = to_type(&format!("resume {flag}"), true);
        let lifts = match (is_rollback, may_widen) {
            (true, true) => "a rollback does not lift that".to_owned(),
            (false, true) => "to lift that, type".to_owned(),
            (_, false) => format!("{MAY_WIDEN} may lift that"),
        };
        notes.push(format!("{not_live}stopped by {}{reason}; {lifts}: {resume}", stop.by));
    } else if view::state(&entry) == FlagStatus::Off && !parts.is_empty() {
        notes.push(match (is_rollback, &entry.record.pin) {
            // What was rolled back to is live: it says so itself.
            (true, Some(_)) => {
                "live: off, as what is held over the file says `enabled: false`".into()
            }
            (false, Some(_)) => {
                format!("{not_live}what is held over its file says `enabled: false`")
            }
            (_, None) => format!("{not_live}its file says `enabled: false`"),
        });
    } else if let (true, [part]) = (is_rollback, parts) {
        notes.extend(note_of_hold(command, part, may_widen));
    }
    if let (Some(held), false) = (&entry.record.split, parts.is_empty()) {
        notes.extend(match command {
            Command::Set { ends, .. } => note_of_end(held, ends.is_none(), may_widen),
            Command::Rollback { .. } => held.expiry().map(|(at_ms, split)| {
                let left = ago(at_ms - clock::wall_ms());
                let before =
                    parts.iter().find_map(|part| part.before.as_ref()?.record.split.clone());
                let stays = before.and_then(|held| held.expiry()) == Some((at_ms, split));
                let came = if stays { "its end stays" } else { "its end came back with it" };
                format!("{came}: realtime-v2 {split} in {left}")
            }),
            _ => None,
        });
    }
    notes
}

/// Until when a rollback holds: what it brought back stays over the file. A rollback to a revision
/// that was named holds nothing where the file says the same.
fn note_of_hold(command: &Command, part: &PlannedChange, may_widen: bool) -> Option<String> {
    let record = &part.after.record;
    if let (Command::Rollback { to: Some(_), .. }, true) = (command, record.is_as_its_file()) {
        return Some("not held: its file says the same; a save of the file is live at once".into());
    }
    let released = FlagRecord { pin: None, split: None, ..record.clone() };
    let widens = !is_narrowing(&part.after, &part.after.with(released));
    let unset = to_type(&format!("unset {}", part.flag), widens);
    let held = if may_widen {
        format!("held over the file until you type: {unset}")
    } else {
        format!("held over the file; {MAY_WIDEN} may let it go: {unset}")
    };
    view::stays_held(record).then_some(held)
}

/// What a split's end does, where that is not what was asked for.
fn note_of_end(held: &SplitOverride, kept: bool, may_widen: bool) -> Option<String> {
    let ends = held.ends.as_ref()?;
    match held.expiry() {
        None => {
            let back = ends.split.unwrap_or_default();
            Some(format!(
                "at its end nothing happens: going back to {back} would widen, and was not named with --then"
            ))
        }
        Some((at_ms, split)) if kept => {
            let left = ago(at_ms - clock::wall_ms());
            // Without its end it would be held for longer, which widens.
            let again = if may_widen { "; set again with a reason, it has none" } else { "" };
            Some(format!("its end stays: realtime-v2 {split} in {left}{again}"))
        }
        Some(_) => None,
    }
}

/// The command that takes a part back.
pub(super) fn undo(command: &Command, part: &PlannedChange) -> Option<String> {
    let (flag, before) = (&part.flag, part.before.as_ref());
    let widens = || !before.is_some_and(|before| is_narrowing(&part.after, before));
    Some(match (command, part.action) {
        (Command::StopAll, _) => to_type("resume --all", true),
        (_, Action::Stop) => to_type(&format!("resume {flag}"), true),
        (_, Action::Resume) => to_type(&format!("stop {flag}"), false),
        (_, Action::Rollback { .. }) => {
            to_type(&format!("rollback {flag} --to {}", before?.changed_at), widens())
        }
        _ => to_type(&format!("rollback {flag}"), widens()),
    })
}

/// A command as it can be typed: what widens needs a reason.
fn to_type(verb: &str, widens: bool) -> String {
    format!("turnout {verb}{}", if widens { " --reason '…'" } else { "" })
}

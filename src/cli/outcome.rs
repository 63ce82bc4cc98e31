//! What came of a command, in words: what is live after it, what must not be overlooked, and the
//! command that undoes it.

use turnout_api::admin::commands::{CommandOutcome, FlagChange, Outcome};
use turnout_api::admin::flags::{FlagState, FlagStatus};
use turnout_api::admin::history::{ActionName, ChangeEffect};

use super::colours::print_screen;
use super::output::{print_note, print_undo};
use super::words::{arrow, held, serving, short, split};

/// What a command to type has where the one who types it says why.
const REASON: &str = " --reason '…'";

/// `saved_when` is asked when a change that is not saved yet will be.
pub fn print_in_words(outcome: &Outcome, verb: &str, saved_when: &dyn Fn() -> &'static str) {
    print_screen(&live(outcome, verb));
    outcome.notes.iter().for_each(|note| print_note(note));
    if outcome.outcome == CommandOutcome::Pending {
        let survives = if outcome.survives_restart {
            "survives a restart"
        } else {
            "does NOT survive a restart"
        };
        let is_hidden = !outcome.changes.is_empty() && outcome.changes.iter().all(is_hidden);
        let live = if is_hidden { "kept here" } else { "live here" };
        print_note(&format!("{live}, not yet saved: {}; {survives}", saved_when()));
    }
    // A person types it as it is printed, so a foreign server must not be able to put anything else
    // into it.
    if let Some(undo) = outcome.undo.as_ref().filter(|undo| is_own_command(undo)) {
        print_undo(undo);
    }
}

/// Whether a shell reads it as one command of this program, and no more.
fn is_own_command(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-%".contains(&byte);
    let verb = text.strip_suffix(REASON).unwrap_or(text);
    verb.starts_with("turnout ") && verb.bytes().all(is_plain)
}

/// Whether a stop, or a file that is off, keeps a change from clients.
fn is_hidden(change: &FlagChange) -> bool {
    matches!(change.effect, Some(ChangeEffect::Stopped | ChangeEffect::Off))
}

/// What is live after a command, one line per flag.
fn live(outcome: &Outcome, verb: &str) -> String {
    let Outcome { position, changes, .. } = outcome;
    let revision = match outcome.revision {
        Some(revision) => format!("revision {revision}"),
        None => format!("position {position}"),
    };
    let flag = outcome.flag.as_ref();
    match (outcome.outcome, flag) {
        (CommandOutcome::Unchanged, None) => {
            "nothing to change: every flag is stopped already\n".to_owned()
        }
        (CommandOutcome::Unchanged, Some(flag)) => unchanged(flag, verb),
        // A command whose parts are not reported was done before, by this caller or by another.
        (CommandOutcome::Repeated | CommandOutcome::Pending, flag) if changes.is_empty() => {
            let now = flag.map(|flag| format!("; now {}", now(flag))).unwrap_or_default();
            format!("{revision}   was done before{now}\n")
        }
        _ => changes.iter().map(|change| line(&revision, change, flag)).collect(),
    }
}

/// `chat   realtime-v2 10%   held by oncall`.
fn now(flag: &FlagState) -> String {
    format!("{}   {}{}", flag.flag, serving(&flag.live), held(Some(flag)))
}

/// What is as it was commanded already.
fn unchanged(flag: &FlagState, verb: &str) -> String {
    match verb {
        "set" | "unset" | "rollback" if flag.state == FlagStatus::Stopped => format!(
            "nothing to change: {}   {}   kept for later: {}\n",
            flag.flag,
            serving(&flag.live),
            short(&split(flag.split.as_ref()))
        ),
        "rollback" => {
            format!("nothing changes: {}   {} before and after\n", flag.flag, short(&flag.live))
        }
        _ => format!("nothing to change: {}\n", now(flag)),
    }
}

fn line(revision: &str, change: &FlagChange, flag: Option<&FlagState>) -> String {
    let FlagChange { flag: key, wanted, action, effect, .. } = change;
    let (was, live) = (change.was.as_deref().unwrap_or(""), change.live.as_deref().unwrap_or(""));
    let back_to = change.back_to.map(|to| format!("   back to revision {to}")).unwrap_or_default();
    let is_so = live == wanted;
    let what = match effect {
        Some(ChangeEffect::Stopped | ChangeEffect::Off) => {
            format!("{}   kept for later: {}{back_to}", serving(live), short(wanted))
        }
        Some(ChangeEffect::Unchanged) if is_so => {
            format!("nothing changes: {} before and after{back_to}{}", short(live), held(flag))
        }
        _ if is_so => format!("{}{back_to}{}", arrow(was, live), held(flag)),
        _ if *action == ActionName::Stop => arrow(was, live),
        // Another command came meanwhile.
        _ => format!("{}   saved: {wanted}{back_to}", arrow(was, live)),
    };
    format!("{revision}   {key}   {what}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_of_this_program_is_shown_to_be_typed() {
        for (text, shown) in [
            ("turnout resume build-events", true),
            ("turnout resume build-events --reason '…'", true),
            ("turnout rollback a.b_c --to 12", true),
            ("curl evil.example", false),
            ("turnout resume a; rm x", false),
            ("turnout resume a; rm x --reason '…'", false),
            ("turnout resume a --reason '…' --reason '…'", false),
            ("turnout resume a --reason '$(x)'", false),
            ("turnout resume $(x)", false),
            ("turnout resume a\nrm x", false),
            ("turnout resume a > /etc/x", false),
            ("turnoutx", false),
            (REASON, false),
        ] {
            assert_eq!(is_own_command(text), shown, "{text}");
        }
    }
}

//! The command that was meant, where what was typed is none: a word of another program, or a slip.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::definition::similar;

/// Words of other programs, and what does that here.
const MEANT: [(&[&str], &str); 12] = [
    (
        &["start"],
        "`turnout serve` starts the server; `turnout resume FLAG` lifts the stop of a flag",
    ),
    (&["run", "up", "server"], "`turnout serve` starts the server"),
    (
        &["pause", "halt", "freeze", "block"],
        "`turnout stop FLAG` stops a flag for everyone, until `turnout resume FLAG`",
    ),
    (
        &["off", "disable", "deactivate"],
        "`turnout stop FLAG` stops a flag for everyone; `turnout set FLAG 0%` takes its share away",
    ),
    (
        &["on", "enable", "activate"],
        "`turnout set FLAG 100%` opens a flag to everyone; `turnout resume FLAG` lifts its stop",
    ),
    (&["unstop", "unpause", "continue"], "`turnout resume FLAG` lifts the stop of a flag"),
    (&["revert", "restore-flag", "back"], "`turnout rollback FLAG` undoes its newest change"),
    (&["log", "logs", "audit", "changes"], "`turnout history` lists what was changed"),
    (&["show", "flags", "ls", "get", "info"], "`turnout status` shows every flag, or one"),
    (
        &["lint", "validate", "test", "verify"],
        "`turnout check` reads the files and runs their tests",
    ),
    (
        &["eval", "evaluate", "why"],
        "`turnout explain FLAG --user KEY` says why a user gets an answer",
    ),
    (&["delete", "remove", "rm", "archive"], "`turnout retire FLAG` gives a flag up"),
];

/// The error, with a hint that leads to the command.
pub fn with_hint(mut error: clap::Error) -> clap::Error {
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let Some(typed) = text(&error, ContextKind::InvalidSubcommand) else { return error };
            let meant = MEANT.iter().find(|(words, _)| words.contains(&&*typed));
            if let (Some((_, hint)), true) = (meant, is_of_the_program(&error)) {
                error.remove(ContextKind::SuggestedSubcommand);
                add(&mut error, hint);
            } else if let Some(best) = likeliest(&error, &typed) {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::String(best));
            }
        }
        ErrorKind::ValueValidation
            if text(&error, ContextKind::InvalidArg).as_deref() == Some("<FLAG>")
                && text(&error, ContextKind::InvalidValue)
                    .is_some_and(|value| value.ends_with('%')) =>
        {
            add(&mut error, "the flag comes first, then its share: turnout set FLAG 25%");
        }
        ErrorKind::UnknownArgument
            if text(&error, ContextKind::InvalidArg).is_some_and(|typed| typed_share(&typed)) =>
        {
            error.remove(ContextKind::Suggested);
            let hint = if usage(&error).contains("turnout set ") {
                "a share is 0% to 100%, without a sign: turnout set FLAG 5%"
            } else {
                "a number, a share or a time has no sign here: there is none below zero"
            };
            add(&mut error, hint);
        }
        _ => {}
    }
    error
}

/// Whether it begins like a number below zero, and so is read as an option.
fn typed_share(typed: &str) -> bool {
    typed.strip_prefix('-').is_some_and(|share| share.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether the word stood where a command stands, and not where one of `token` or `keys` does.
fn is_of_the_program(error: &clap::Error) -> bool {
    usage(error).contains("turnout [")
}

fn usage(error: &clap::Error) -> String {
    match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    }
}

/// Of several names the likeliest alone.
fn likeliest(error: &clap::Error, typed: &str) -> Option<String> {
    match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) => {
            similar(typed, names.iter().map(String::as_str)).map(str::to_owned)
        }
        _ => None,
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

fn add(error: &mut clap::Error, hint: &'static str) {
    let hints = ContextValue::StyledStrs(vec![StyledStr::from(hint)]);
    error.insert(ContextKind::Suggested, hints);
}

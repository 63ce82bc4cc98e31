//! What to try next, printed at start: calls that work as printed, found by evaluating the live
//! snapshot.
//!
//! The ids are made up (`u-0`, `u-1`, …), never taken from the files: lists of users must not
//! appear in any output.

use std::path::Path;
use std::sync::Arc;

use super::shell::shell_word;
use super::{count, output};
use crate::app::App;
use crate::auth::AnonymousAccess;
use crate::config::AuthConfig;
use crate::display_text;
use crate::flag::{
    Context, FlagKey, Identity, Resolution, ServerAuth, Step, Strategy, TargetingKey,
};
use crate::ledger::EffectiveState;
use crate::snapshot::{FlagSnapshot, Snapshot};
use crate::telemetry::{say, say_to_copy};

/// How many made-up users are tried.
const CANDIDATES: u32 = 10_000;

/// The most flags that a line names.
const MOST_NAMED: usize = 10;

type Wanted = fn(Resolution) -> bool;

pub fn print(app: &App, flags: &Path, data: &Path, access: &AuthConfig) {
    let snapshot = app.coordinator().live().current();
    if snapshot.server_auth().clamps() {
        say(&format!("{}, until TURNOUT_TOKEN_HANDOFF=on", ServerAuth::CLAMPS));
    }
    let shown = FlagStates::of(&snapshot, &app.coordinator().state());
    let FlagStates { stopped, held, .. } = &shown;
    if shown.count == 0 {
        let wait = "every flag answers `polling` until the first one is there";
        return say(&format!(
            "waiting for {}/….yaml: no flag is known yet, and {wait}",
            display_text::path(flags)
        ));
    }
    say(&shown.in_words());
    let goes = |entry: &&Arc<FlagSnapshot>| !stopped.iter().any(|flag| flag == entry.key());
    let first = || snapshot.flags().iter().find(goes);
    let Some(entry) = snapshot.flag("build-events").filter(goes).or_else(first) else {
        return say("every flag is stopped; turnout resume FLAG --reason '…' lifts a stop");
    };
    say("try next, in another terminal:");
    let server = match data.to_str() {
        Some("./data") => String::new(),
        _ => format!(" --data {}", shell_word(&display_text::path(data))),
    };
    command(&format!("  turnout status{server}   # every flag, as an operator sees it"));
    let examples: [(&str, Wanted); 4] = [
        ("allowed", |answer| answer.step == Step::Allow),
        ("denied", |answer| answer.step == Step::Deny),
        ("inside the rollout", |answer| {
            answer.step == Step::Rollout && answer.strategy == Strategy::RealtimeV2
        }),
        ("outside of it", |answer| {
            answer.step == Step::Rollout && answer.strategy != Strategy::RealtimeV2
        }),
    ];
    let path = format!("/v1/strategy/{}", entry.key());
    let url = format!("http://{}{}", app.address(), snapshot.public_path().address(&path));
    if access.session_keys.is_some() {
        command(&format!(
            "  curl -sw '\\n' {url} -H \"Authorization: Bearer $TOKEN\"   # the user of a session token"
        ));
    }
    let credential = match (access.unverified, &access.server_keys) {
        (AnonymousAccess::Allow, _) => Some(""),
        (AnonymousAccess::Deny, Some(_)) => Some(" -H \"X-API-Key: $SERVER_KEY\""),
        (AnonymousAccess::Deny, None) => None,
    };
    for (what, wanted) in examples {
        if let (Some(credential), Some(user)) = (credential, find(&snapshot, entry, wanted)) {
            command(&format!(
                "  curl -sw '\\n' {url}{credential} -d '{{\"targetingKey\":\"{user}\"}}'   # {what}"
            ));
        }
    }
    let (file, key) = (display_text::path(flags), entry.key());
    if held.iter().any(|flag| flag == key) {
        say(&format!(
            "what is held hides the file of {key}; turnout unset {key} --reason '…' ends that"
        ));
    }
    say(&format!("then change {file}/{key}.yaml, save, and ask again"));
}

/// A command to copy. On a terminal one that is longer than a line is continued in the next, as a shell
/// takes it.
fn command(line: &str) {
    let columns = output::note_columns().unwrap_or(usize::MAX);
    let folded = if line.chars().count() > columns {
        [" -H ", " -d "].iter().fold(line.to_owned(), |line, option| {
            line.replace(option, &format!(" \\\n     {option}"))
        })
    } else {
        line.to_owned()
    };
    say_to_copy(line, &folded);
}

/// What operators hold over the files at the start.
struct FlagStates {
    count: usize,
    stopped: Vec<FlagKey>,
    held: Vec<FlagKey>,
}

impl FlagStates {
    fn of(snapshot: &Snapshot, state: &EffectiveState) -> FlagStates {
        let (mut stopped, mut held) = (Vec::new(), Vec::new());
        for key in snapshot.flags().iter().map(|entry| entry.key()) {
            let Some(entry) = state.flag(key.as_str()) else { continue };
            if entry.record.stop.is_some() {
                stopped.push(key.clone());
            }
            // Also below a stop: it holds again when that is lifted.
            if entry.record.split.is_some() || entry.record.pin.is_some() {
                held.push(key.clone());
            }
        }
        FlagStates { count: snapshot.flags().len(), stopped, held }
    }

    /// `3 flags; STOPPED: chat; held over their files: search`.
    fn in_words(&self) -> String {
        let flags = count(self.count, "flag");
        let stopped = match &*self.stopped {
            [] => "none stopped".to_owned(),
            stopped => format!("STOPPED: {}", some(stopped)),
        };
        let held = match &*self.held {
            [] => "none held".to_owned(),
            held => format!("held over its file: {}", some(held)),
        };
        format!("{flags}; {stopped}; {held}")
    }
}

/// The first few of them.
fn some(keys: &[FlagKey]) -> String {
    let more = keys.len().saturating_sub(MOST_NAMED);
    let names = keys.iter().take(MOST_NAMED).map(FlagKey::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

fn find(snapshot: &Snapshot, entry: &FlagSnapshot, wanted: Wanted) -> Option<String> {
    (0..CANDIDATES).map(|number| format!("u-{number}")).find(|user| {
        let key = TargetingKey::parse(user).ok().flatten();
        wanted(snapshot.evaluate(entry, &Context::new(Identity::Plain, key, &[])))
    })
}

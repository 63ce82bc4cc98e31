//! Every line the service says, in one place. Floor 3. User ids never stand in one.

use std::io::{self, IsTerminal, Write};
use std::ops::Not;
use std::path::Path;

use crate::clock;
use crate::control::{News, Trouble};
use crate::definition::{Contents, Finding, render};
use crate::open_files::OpenFiles;
use crate::token::{Outcome, Report};

/// The most keys a line names.
const KEYS_AT_MOST: usize = 10;

/// What the corridor has to tell.
pub fn news(news: &News) {
    match news {
        News::Live { changed, .. } if changed.is_empty() => {}
        News::Live { position, changed } => {
            let mut keys: Vec<&str> = changed.iter().take(KEYS_AT_MOST).map(|key| key.as_str()).collect();
            let more = format!("{} more", changed.len().saturating_sub(KEYS_AT_MOST));
            if changed.len() > KEYS_AT_MOST {
                keys.push(&more);
            }
            say(&format!("revision {position} is live: {}", keys.join(", ")));
        }
        News::Trouble(Trouble { message, hint, .. }) => say(&format!("problem: {message} (help: {hint})")),
        News::AdminToken(what) => say(what),
        News::Back { pending: 0 } => say("the database answers"),
        News::Back { pending } => say(&format!("the database answers; {pending} pending changes are being saved")),
        News::Drift { flag, file, live, by, at_ms, reason } => {
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let since = ago(clock::wall_ms() - at_ms);
            say(&format!("{flag}: rollout {file} not live: held at {live} by {by} for {since}{reason}; turnout unset {flag}"));
        }
    }
}

/// `12 s`, `3 min`, `5 h`, `23 days`.
pub fn ago(milliseconds: i64) -> String {
    match milliseconds.max(0) / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// How many clients there is room for, and why no more.
pub fn capacity(connections: usize, files: OpenFiles) {
    let OpenFiles { limit, at_start } = files;
    let raised = if at_start < limit { format!(", raised from {at_start}") } else { String::new() };
    say(&format!("room for {connections} connections: {limit} files may be open{raised}"));
}

/// The problems there are now. A terminal gets them drawn; a log gets one line each without source, as the lines of a flag file may
/// name users.
pub fn problems(findings: &[Finding], contents: &Contents, flags: &Path) {
    let shown = |file: &str| flags.join(file).display().to_string();
    let terminal = std::io::stderr().is_terminal();
    for finding in findings {
        match terminal {
            true => write(&format!("{}\n", render(finding, contents, shown, no_colour().not()))),
            false => say(&format!("problem: {}", finding.line(shown))),
        }
    }
    say(&match findings.len() {
        0 => "no problems left in the flags folder".to_owned(),
        1 => "1 problem in the flags folder".to_owned(),
        count => format!("{count} problems in the flags folder"),
    });
}

/// What came of looking for keys.
pub fn keys(Report { setting, source, outcome }: &Report) {
    say(&match outcome {
        Outcome::Believed(1) => format!("{setting}: 1 key from {source}"),
        Outcome::Believed(count) => format!("{setting}: {count} keys from {source}"),
        Outcome::Kept { fault, keys: 0 } => {
            format!("{setting}: {source}: {fault}; until that is mended, none of its credentials is accepted")
        }
        Outcome::Kept { fault, .. } => format!("{setting}: {source}: {fault}; the last good keys stay"),
    });
}

/// That programs on this machine cannot look up where the service listens.
pub fn addresses_not_written(data: &Path, error: &io::Error) {
    let data = data.display();
    say(&format!(
        "cannot write {data}/addresses.json: {error}; commands find this server by --server alone (make room there, restart)"
    ));
}

/// That `addresses.json` names a server that runs no more.
pub fn stale_addresses(data: &Path, error: &io::Error) {
    say(&format!("cannot remove the stale {}/addresses.json: {error}; make the data folder writable", data.display()));
}

/// Whether colour is unwanted (<https://no-color.org>).
pub fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

pub fn say(line: &str) {
    write(&format!("turnout: {}", line.replace(char::is_control, " ")));
}

fn write(text: &str) {
    // A closed stderr must not take the service with it, as `eprintln!` would.
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

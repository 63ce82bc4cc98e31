//! The wording of every log line.

use std::io::{self, IsTerminal};
use std::ops::Not;
use std::path::Path;

use tracing::{Level, debug, error, info, trace, warn};

use super::colour::no_colour;
use super::{draw, plain, target};
use crate::auth::{Outcome, Report};
use crate::clock;
use crate::control::{ControlEvent, Problem, ProblemKind};
use crate::count::count;
use crate::definition::{Finding, FlagFiles, render};
use crate::display_text;
use crate::fd_limit::OpenFiles;
use crate::flag::Resolution;
use crate::snapshot::Position;

/// The most keys that a line names.
const MAX_KEYS: usize = 10;

/// Logs an event of the coordinator.
pub fn news(news: &ControlEvent) {
    match news {
        ControlEvent::Live { changed, .. } if changed.is_empty() => {}
        ControlEvent::Live { position, changed } => {
            let mut keys: Vec<&str> =
                changed.iter().take(MAX_KEYS).map(|key| key.as_str()).collect();
            let more = format!("{} more", changed.len().saturating_sub(MAX_KEYS));
            if changed.len() > MAX_KEYS {
                keys.push(&more);
            }
            let (revision, flags) = (position.revision, changed.len());
            info!(
                target: target::CONTROL,
                { turnout.revision = revision, turnout.flags = flags },
                "revision {position} is live: {}",
                keys.join(", ")
            );
            for key in changed {
                let (key, version) = (key.as_str(), tracing::field::display(position));
                debug!(target: target::CONTROL, { feature_flag.key = key, feature_flag.version = version }, "{key} changed");
            }
        }
        ControlEvent::Problem(trouble) => say_trouble(trouble),
        ControlEvent::FirstStart { data } => {
            info!(target: target::CONTROL, "{data} is empty: this is a first start, a database is made and the files go live");
        }
        ControlEvent::AdminToken(what) => info!(target: target::KEYS, "{what}"),
        ControlEvent::Back { pending: 0 } => info!(target: target::CONTROL, "the database answers"),
        ControlEvent::Back { pending } => {
            info!(
                target: target::CONTROL,
                { turnout.pending = pending },
                "the database answers; {pending} pending changes are being saved"
            );
        }
        ControlEvent::Drift { flag, file, live, by, at_ms, reason } => {
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let since = ago(clock::wall_ms() - at_ms);
            warn!(
                target: target::CONTROL,
                { feature_flag.key = flag.as_str() },
                "{flag}: rollout {file} not live: held at {live} by {by} for {since}{reason}; turnout unset {flag} --reason '…'"
            );
        }
    }
}

/// A problem that affects durability is an error, all others are warnings.
fn say_trouble(Problem { kind, subject, message, hint }: &Problem) {
    let (code, about, line) =
        (kind.as_str(), subject.as_deref(), format!("problem: {message} (help: {hint})"));
    if matches!(
        kind,
        ProblemKind::Database
            | ProblemKind::Journal
            | ProblemKind::Unsaved
            | ProblemKind::DiskSpace
    ) {
        error!(target: target::CONTROL, { turnout.problem = code, turnout.subject = about }, "{line}");
    } else {
        warn!(target: target::CONTROL, { turnout.problem = code, turnout.subject = about }, "{line}");
    }
}

/// Logs that streams begin anew.
pub fn streams_renewed(streams: u64) {
    warn!(
        target: target::CONTROL,
        "events.db is older than what its readers saw: a new epoch for {}, whose readers begin anew", count(streams, "stream")
    );
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

/// Logs how many clients there is room for, and what limits the number.
pub fn capacity(connections: usize, files: OpenFiles) {
    let OpenFiles { limit, at_start } = files;
    let raised = if at_start < limit { format!(", raised from {at_start}") } else { String::new() };
    info!(target: target::APP, "room for {connections} connections: {limit} files may be open{raised}");
}

/// Logs the present problems. A terminal gets them drawn; a log gets one line each without source,
/// as the lines of a flag file may name users.
pub fn problems(findings: &[Finding], contents: &FlagFiles, flags: &Path) {
    let shown = |file: &str| flags.join(file).to_string_lossy().into_owned();
    let drawn = io::stderr().is_terminal() && tracing::enabled!(target: target::FLAGS, Level::WARN);
    for finding in findings {
        if drawn && draw(|| render(finding, contents, shown, no_colour().not(), None)) {
            continue;
        }
        let (code, file, line) = (finding.code.as_str(), shown(&finding.file), finding.line(shown));
        let number = finding.place.map(|place| place.line);
        warn!(target: target::FLAGS, { turnout.problem = code, file.path = file, file.line = number }, "problem: {line}");
    }
    match findings.len() {
        0 => info!(target: target::FLAGS, "no problems left in the flags folder"),
        found => warn!(target: target::FLAGS, "{} in the flags folder", count(found, "problem")),
    }
}

/// Logs the answer of one flag, never for whom it was. The names are those of OpenTelemetry's
/// feature flags.
pub fn evaluation(flag: &str, answer: Resolution) {
    if tracing::enabled!(target: target::EVALUATION, Level::TRACE) {
        let (variant, reason) =
            (answer.strategy.as_str(), answer.reason.as_str().to_ascii_lowercase());
        trace!(
            target: target::EVALUATION,
            {
                feature_flag.key = flag,
                feature_flag.result.variant = variant,
                feature_flag.result.reason = reason,
                feature_flag.provider.name = "turnout",
            },
            "{flag}: {variant}, {reason}"
        );
    }
}

/// Logs how many keys are accepted. A fault of a key source is reported as a problem; it is logged
/// again if a person asked for the reload.
pub fn keys(report: &Report) {
    let Report { setting, source, outcome, is_good_again, was_asked_for } = report;
    match outcome {
        Outcome::Believed(count) => {
            let keys = if *count == 1 { "key" } else { "keys" };
            let line = if *is_good_again {
                format!("{setting}: {source} is good again: {count} {keys}")
            } else {
                format!("{setting}: {count} {keys} from {source}")
            };
            info!(target: target::KEYS, { turnout.setting = setting }, "{line}");
        }
        Outcome::Kept { .. } if *was_asked_for => {
            let (fault, hint) = report.fault().unwrap_or_default();
            warn!(target: target::KEYS, { turnout.setting = setting }, "{fault} (help: {hint})");
        }
        Outcome::Kept { .. } => {}
    }
}

/// Logs that programs on this machine cannot look up the service's addresses.
pub fn addresses_not_written(data: &Path, error: &io::Error) {
    let data = display_text::path(data);
    warn!(
        target: target::APP,
        "cannot write {data}/addresses.json: {error}; commands find this server by --server alone (make room there, restart)"
    );
}

/// Logs that commands on this machine have no socket to use.
pub fn no_admin_socket(data: &Path, error: &io::Error) {
    let data = display_text::path(data);
    warn!(target: target::APP, "no socket for commands of {data}: {error}; they ask by the admin listener's address instead");
}

/// Logs that `addresses.json` names a server that no longer runs.
pub fn stale_addresses(data: &Path, error: &io::Error) {
    let data = display_text::path(data);
    warn!(target: target::APP, "cannot remove the stale {data}/addresses.json: {error}; make the data folder writable");
}

/// The names of environment variables that are set, without their values.
pub fn environment() -> impl Iterator<Item = String> {
    std::env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, _)| name.to_string_lossy().into_owned())
}

/// Logs what came of a reload of the flags folder.
pub fn reloaded(position: Position, problems: usize) {
    let problems = match problems {
        0 => "no problems".to_owned(),
        problems => format!("{} (turnout problems)", count(problems, "problem")),
    };
    say(&format!("reloaded: the flags folder was read; revision {position} is live, {problems}"));
}

/// A line that a person may copy from: on a terminal without the time and the target before it.
pub fn say_to_copy(line: &str, on_a_terminal: &str) {
    let is_plain =
        io::stderr().is_terminal() && tracing::enabled!(target: target::APP, Level::INFO);
    if !(is_plain && plain(on_a_terminal)) {
        say(line);
    }
}

/// Logs a line of the process itself.
pub fn say(line: &str) {
    info!(target: target::APP, "{line}");
}

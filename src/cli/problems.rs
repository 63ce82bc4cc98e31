//! `turnout problems`: what is wrong with a running server, and the fix.

use std::path::Path;

use clap::Args;
use turnout_api::admin::problems::{Problems as Standing, StandingProblem};

use super::colours::print_problems;
use super::http_client::CliError;
use super::remote::ServerArgs;
use super::{Exit, count, print, print_error, time};
use crate::data_dir::{DATABASE, EVENTS};
use crate::display_text;

#[derive(Debug, Args)]
pub struct Problems {
    #[command(flatten)]
    remote: ServerArgs,

    /// What the server says, as JSON
    #[arg(long)]
    json: bool,
}

impl Problems {
    /// Exit 1 while there are problems.
    pub fn run(&self) -> Exit {
        let reply = match self.remote.get::<Standing>("/v1/problems") {
            Ok(reply) => reply,
            Err(CliError { exit, message, .. }) => {
                print_error(&message);
                return exit;
            }
        };
        if self.json {
            print(&format!("{}\n", reply.json));
        } else {
            print_problems(&text(&reply.read));
        }
        if reply.read.problems.is_empty() { Exit::Yes } else { Exit::No }
    }
}

fn text(Standing { flags, watch, position, problems }: &Standing) -> String {
    let mut text = String::new();
    for problem in problems {
        let StandingProblem { code, file, line, column, message, hint, since_ms, subject } =
            problem;
        let mut place = match file.as_deref() {
            None => place_of(code, subject.as_deref(), flags),
            Some("") => flags.clone(),
            Some(file) => display_text::path(&Path::new(flags).join(file)),
        };
        if let (Some(line), Some(column)) = (line, column) {
            place.push_str(&format!(":{line}:{column}"));
        }
        text.push_str(&format!("{place}\n  {code}: {message}\n"));
        if let Some(hint) = hint {
            text.push_str(&format!("  help: {hint}\n"));
        }
        text.push_str(&format!("  since: {}\n", time::at(*since_ms)));
    }
    let verdict = match problems.len() {
        0 => "no problems".to_owned(),
        problems => count(problems, "problem"),
    };
    text.push_str(&format!(
        "{verdict}; revision {position} is live, {flags} is watched by {watch}\n"
    ));
    text
}

/// Where a problem is that no file of the flags folder causes.
fn place_of(code: &str, subject: Option<&str>, flags: &str) -> String {
    match (code, subject) {
        ("database" | "poison-row" | "saving" | "unsaved", _) => {
            format!("{DATABASE} in the data folder")
        }
        ("events-unavailable" | "events-full", _) => format!("{EVENTS} in the data folder"),
        ("journal", _) => "pending.journal in the data folder".to_owned(),
        ("last-good", _) => "last-good in the data folder".to_owned(),
        ("admin-token", _) => "admin.token in the data folder".to_owned(),
        ("issuer-keys", _) => "issuer.keys in the data folder".to_owned(),
        ("data-folder" | "disk-space" | "folder-rights" | "revoked-sessions", _) => {
            "the data folder".to_owned()
        }
        ("flags-folder" | "files-wait" | "tests-run" | "missing-file", _) => flags.to_owned(),
        ("expiry-would-widen" | "mistyped-attribute" | "retention-shortened", Some(flag)) => {
            format!("flag {flag}")
        }
        ("session-keys" | "server-keys" | "no-keys", Some(setting)) => setting.to_owned(),
        _ => "this server".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_without_a_file_has_a_place_of_its_own() {
        for (code, subject, place) in [
            ("database", None, "turnout.db in the data folder"),
            ("events-unavailable", None, "events.db in the data folder"),
            ("expiry-would-widen", Some("chat"), "flag chat"),
            ("mistyped-attribute", Some("chat"), "flag chat"),
            ("session-keys", Some("TURNOUT_SESSION_KEYS"), "TURNOUT_SESSION_KEYS"),
            ("files-wait", Some("chat"), "./flags"),
            ("webhook", None, "this server"),
            ("of-a-newer-server", Some("x"), "this server"),
        ] {
            assert_eq!(place_of(code, subject, "./flags"), place, "{code}");
        }
    }
}

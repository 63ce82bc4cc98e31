//! `turnout problems`: what is wrong with a running server, and the fix.

use std::path::Path;

use clap::Args;
use turnout_api::admin::problems::{Problems as Standing, StandingProblem};

use super::colours::print_problems;
use super::http_client::CliError;
use super::remote::ServerArgs;
use super::{Exit, count, print, print_error, time};
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
        let StandingProblem { code, file, line, column, message, hint, since_ms, .. } = problem;
        let mut place = match file.as_deref() {
            None | Some("") => flags.clone(),
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

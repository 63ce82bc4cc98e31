//! `turnout problems`: what is wrong with a running server, and the fix.

use std::path::Path;

use clap::Args;
use serde_json::Value as Json;

use super::remote::{self, ServerArgs, text_of};
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
        let reply = match self.remote.get("/v1/problems") {
            Ok(reply) => reply,
            Err((exit, message)) => {
                print_error(&message);
                return exit;
            }
        };
        let problems = reply["problems"].as_array().map_or(&[][..], Vec::as_slice);
        print(&if self.json { format!("{reply}\n") } else { text(&reply, problems) });
        if problems.is_empty() { Exit::Yes } else { Exit::No }
    }
}

fn text(reply: &Json, problems: &[Json]) -> String {
    let flags = text_of(&reply["flags"]);
    let mut text = String::new();
    for problem in problems {
        let file = text_of(&problem["file"]);
        let mut place = if file.is_empty() {
            flags.clone()
        } else {
            display_text::path(&Path::new(&flags).join(file))
        };
        if let (Some(line), Some(column)) = (problem["line"].as_u64(), problem["column"].as_u64()) {
            place.push_str(&format!(":{line}:{column}"));
        }
        text.push_str(&format!(
            "{place}\n  {}: {}\n",
            text_of(&problem["code"]),
            text_of(&problem["message"])
        ));
        if let Some(hint) = remote::text(&problem["hint"]) {
            text.push_str(&format!("  help: {hint}\n"));
        }
        text.push_str(&format!("  since: {}\n", time::of(&problem["sinceMs"])));
    }
    let verdict = if problems.is_empty() {
        "no problems".to_owned()
    } else {
        count(problems.len(), "problem")
    };
    text.push_str(&format!(
        "{verdict}; revision {} is live, {flags} is watched by {}\n",
        text_of(&reply["position"]),
        text_of(&reply["watch"])
    ));
    text
}

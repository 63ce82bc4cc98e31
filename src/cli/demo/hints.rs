//! What to type while a demo runs: commands that work as they are printed, in any other terminal.

use serde::Serialize;

use super::folder::{DemoFolder, FLAG};
use crate::cli::shell::shell_word;
use crate::config::program_name;
use crate::display_text;

/// A command, and what it shows.
#[derive(Clone, Debug, Serialize)]
pub struct Command {
    what: &'static str,
    line: String,
}

const COMMANDS: [(&str, &str, &str); 6] = [
    ("Stop it: every client polls at once", "stop", ""),
    ("Lift the stop", "resume", "--at 50% --reason fixed"),
    ("Open it to all", "set", "100% --reason trial"),
    ("Undo that", "rollback", ""),
    ("See what is live", "status", ""),
    ("See who changed what, and why", "history", ""),
];

/// The commands of one demo.
pub struct Hints {
    program: String,
    data: String,
    flag_file: String,
    folder: String,
}

impl Hints {
    pub fn of(folder: &DemoFolder) -> Hints {
        Hints {
            program: shell_word(&program_name()),
            data: shell_word(&folder.data().to_string_lossy()),
            flag_file: display_text::path(&folder.flag_file()),
            folder: display_text::path(folder.path()),
        }
    }

    /// Each of them whole, as the page shows them.
    pub fn commands(&self) -> Vec<Command> {
        let whole = |line: String| format!("{line} --data {}", self.data);
        self.lines().map(|(what, line)| Command { what, line: whole(line) }).collect()
    }

    /// What the terminal shows.
    pub fn text(&self, page: &str) -> String {
        let lines = self.lines().map(|(what, line)| format!("  # {what}\n  {line}\n"));
        format!(
            "Twenty clients follow {FLAG} on this page:\n\n  {page}\n\n\
             Open it. Then, in another terminal:\n\n  export TURNOUT_DATA={}\n{}\n\
             Or change the share in this file, and save:\n  {}\n\n\
             Ctrl-C ends the demo and removes {}.\n\
             Then, in the other terminal: unset TURNOUT_DATA\n",
            self.data,
            lines.collect::<String>(),
            self.flag_file,
            self.folder,
        )
    }

    fn lines(&self) -> impl Iterator<Item = (&'static str, String)> {
        COMMANDS.into_iter().map(|(what, verb, rest)| {
            let line = format!("{} {verb} {FLAG} {rest}", self.program);
            (what, line.trim_end().to_owned())
        })
    }
}

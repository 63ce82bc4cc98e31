//! `turnout retire FLAG`: gives a flag up in the folder of flags. Its key goes on the list
//! `retired.txt`, and its file goes. The folder is what a repository has, so the change is reviewed
//! and deployed as every other one, and no server has to be asked.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;

use super::change::{confirmed, reason};
use super::output::{can_ask, print_lines};
use super::{Exit, print_error, print_note};
use crate::definition::{DefinitionSet, FlagFiles, RETIRED_FILE, similar};
use crate::display_text;
use crate::flag::FlagKey;
use crate::flag_files::FlagsDir;

#[derive(Debug, Args)]
#[command(
    after_help = "The flag goes from a server when it reads the folder. A flag that is stopped or held stays until that ends.\nExit codes: 0 done, or retired before; 1 you said no; 2 wrong usage; 4 the folder could not be read or written."
)]
pub struct Retire {
    /// The flag
    flag: FlagKey,

    /// The folder of flags
    #[arg(long, value_name = "DIR", env = "TURNOUT_FLAGS", default_value = "./flags")]
    flags: PathBuf,

    /// Why, for those who read the list
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Retire {
    pub fn run(&self) -> Exit {
        self.try_run().unwrap_or_else(|(exit, message)| {
            print_error(&message);
            exit
        })
    }

    fn try_run(&self) -> Result<Exit, (Exit, String)> {
        let contents = FlagsDir::new(&self.flags, Vec::new()).read();
        if let Some(why) = &contents.unreadable {
            return Err((Exit::Failed, display_text::line(why).into_owned()));
        }
        let mut definitions = DefinitionSet::default();
        definitions.update(&contents);
        let name = format!("{}.yaml", self.flag);
        let has_file = contents.files.contains_key(&name);
        if contents.files.contains_key(RETIRED_FILE) && contents.text(RETIRED_FILE).is_none() {
            return Err((Exit::Failed, format!("{} cannot be read", self.shown(RETIRED_FILE))));
        }
        if definitions.is_retired(&self.flag) {
            print_lines(&format!("{} is retired\n", self.flag));
            return Ok(Exit::Yes);
        }
        if !has_file && !self.yes && !can_ask() {
            return Err((
                Exit::Usage,
                format!("{}; --yes retires it all the same", self.no_file(&contents)),
            ));
        }
        if !self.yes && can_ask() && !confirmed(&self.question(has_file, &contents)) {
            print_note("nothing was changed");
            return Ok(Exit::No);
        }
        let write = |error: io::Error| {
            (Exit::Failed, format!("{} could not be written: {error}", self.shown(RETIRED_FILE)))
        };
        self.list(&contents).map_err(write)?;
        if has_file {
            fs::remove_file(self.flags.join(&name)).map_err(|error| {
                (Exit::Failed, format!("{} could not be removed: {error}", self.shown(&name)))
            })?;
        }
        print_lines(&self.done(has_file.then_some(&*name), &definitions, &contents));
        Ok(Exit::Yes)
    }

    /// Puts the key on the list, unless it stands there already.
    fn list(&self, contents: &FlagFiles) -> io::Result<()> {
        let before = contents.text(RETIRED_FILE).map(|text| &text.bytes[..]).unwrap_or_default();
        let is_listed = before.split(|byte| *byte == b'\n').any(|line| {
            let key = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            key.trim_ascii() == self.flag.as_str().as_bytes()
        });
        if is_listed {
            return Ok(());
        }
        let end = if before.last().is_some_and(|last| *last != b'\n') { "\n" } else { "" };
        let reason = self.reason.as_deref().map(display_text::line).unwrap_or_default();
        let reason = if reason.is_empty() { String::new() } else { format!("   # {reason}") };
        let line = format!("{end}{}{reason}\n", self.flag);
        // Written beside it and renamed: a list of which a part is written says something else.
        let beside = self.flags.join(format!(".{RETIRED_FILE}.new"));
        fs::write(&beside, [before, line.as_bytes()].concat())?;
        fs::rename(&beside, self.flags.join(RETIRED_FILE))
    }

    fn question(&self, has_file: bool, contents: &FlagFiles) -> String {
        let what = format!(
            "retire {}: its clients learn that there is no such flag, and its key is not taken again",
            self.flag
        );
        if has_file { what } else { format!("{}; {what}", self.no_file(contents)) }
    }

    fn no_file(&self, contents: &FlagFiles) -> String {
        let flags: Vec<&str> = contents
            .files
            .keys()
            .filter(|path| !path.contains('/'))
            .filter_map(|path| path.strip_suffix(".yaml"))
            .collect();
        let hint = match similar(self.flag.as_str(), flags.into_iter()) {
            Some(meant) => format!(" (did you mean `{meant}`?)"),
            None => String::new(),
        };
        format!("there is no {}{hint}", self.shown(&format!("{}.yaml", self.flag)))
    }

    /// What was done; `file` is the flag's own, if it had one.
    fn done(
        &self,
        file: Option<&str>,
        definitions: &DefinitionSet,
        contents: &FlagFiles,
    ) -> String {
        let listed = format!("{} has a line for {}", self.shown(RETIRED_FILE), self.flag);
        let Some(name) = file else {
            return format!("{listed}; {}\n", self.no_file(contents));
        };
        let mut text = format!("{listed}, and {} is removed\n", self.shown(name));
        for table in definitions.files_that_decide(name) {
            if table.starts_with("tests/") {
                text.push_str(&format!("{} tests it, and may go too\n", self.shown(&table)));
            }
        }
        text
    }

    fn shown(&self, path: &str) -> String {
        display_text::path(&self.flags.join(path))
    }
}

//! `turnout check`: lints flag folders and runs their tests, with the reader that the server uses.

mod checked;
mod report;
mod repository;
mod target;
mod unread;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::checked::Checked;
use self::repository::Repository;
use super::exit::Exit;
use super::output::{self, print, print_error};
use crate::config::EvaluationArgs;
use crate::display_text;

#[derive(Debug, Args)]
pub struct Check {
    /// Flag folders, or single files of one
    #[arg(value_name = "PATH", env = "TURNOUT_FLAGS", default_value = "./flags")]
    paths: Vec<PathBuf>,

    /// How findings are printed: for people, for programs, for code scanning, for GitHub's
    /// annotations
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// The root of the repository: the formats `github` and `sarif` name files from there. The next
    /// folder above with a `.git`, unless said
    #[arg(long, value_name = "FOLDER", env = "GITHUB_WORKSPACE")]
    root: Option<PathBuf>,

    #[command(flatten)]
    deciding: EvaluationArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Human,
    Json,
    Sarif,
    Github,
}

impl Check {
    pub fn run(&self) -> Exit {
        let internal_user_ids = match self.deciding.check() {
            Ok((ids, _)) => ids,
            Err(errors) => {
                errors.0.iter().for_each(|error| print_error(&display_text::line(error)));
                return Exit::Usage;
            }
        };
        let missing: Vec<&PathBuf> = self.paths.iter().filter(|path| !path.exists()).collect();
        for path in &missing {
            print_error(&format!(
                "{} does not exist; name a folder of flags, or a file in one",
                display_text::path(path)
            ));
        }
        if !missing.is_empty() {
            return Exit::Usage;
        }
        let checked: Vec<Checked> =
            self.paths.iter().map(|path| Checked::read(path, &internal_user_ids)).collect();
        match self.format {
            Format::Human => checked.iter().for_each(Checked::print),
            Format::Json => print(&report::json(&checked)),
            Format::Sarif => print(&report::sarif(&checked, &self.repository())),
            Format::Github => {
                output::print_commands(&report::github(&checked, &self.repository()));
            }
        }
        if checked.iter().all(Checked::is_good) { Exit::Yes } else { Exit::No }
    }

    fn repository(&self) -> Repository {
        Repository::found(self.root.as_deref())
    }
}

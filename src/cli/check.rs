//! `turnout check`: lints flag folders and runs their tests, with the reader that the server uses.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Exit, count, output, print, print_error, report};
use crate::config::EvaluationArgs;
use crate::definition::{Code, DefinitionSet, Finding, FlagFiles, render};
use crate::display_text;
use crate::flag_files::FlagsDir;
use crate::telemetry::no_colour;

#[derive(Debug, Args)]
pub struct Check {
    /// Flag folders, or single files of one
    #[arg(value_name = "PATH", env = "TURNOUT_FLAGS", default_value = "./flags")]
    paths: Vec<PathBuf>,

    /// How findings are printed: for people, for programs, for code scanning, for GitHub's
    /// annotations
    #[arg(long, value_enum, default_value_t)]
    format: Format,

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
            Format::Sarif => print(&report::sarif(&checked)),
            Format::Github => output::print_commands(&report::github(&checked)),
        }
        if checked.iter().all(Checked::is_good) { Exit::Yes } else { Exit::No }
    }
}

/// What was found in one folder or file.
pub struct Checked {
    path: PathBuf,
    root: PathBuf,
    /// The one file of the folder that was asked for.
    only: Option<String>,
    contents: FlagFiles,
    pub findings: Vec<Finding>,
    pub flags: usize,
    pub segments: usize,
    pub tests: usize,
}

impl Checked {
    fn read(path: &Path, internal_user_ids: &[String]) -> Checked {
        let (root, only) = folder_of(path);
        let contents = FlagsDir::new(&root, internal_user_ids.to_vec()).read();
        let mut definitions = DefinitionSet::default();
        let mut findings = definitions.update(&contents);
        if let Some(only) = &only {
            findings.retain(|finding| *finding.file == **only);
        }
        let keys: Vec<String> = definitions.flags().map(|(key, _)| key.to_string()).collect();
        Checked {
            flags: keys.len(),
            segments: definitions.segments().count(),
            tests: keys.iter().map(|key| definitions.cases(key)).sum(),
            path: path.to_owned(),
            root,
            only,
            contents,
            findings,
        }
    }

    /// A path inside the folder, relative to where the command runs, for programs.
    pub fn path_of(&self, file: &str) -> String {
        let path = if file.is_empty() { self.root.clone() } else { self.root.join(file) };
        path.to_string_lossy().into_owned()
    }

    /// The files that were read and asked for.
    pub fn files(&self) -> impl Iterator<Item = String> {
        let asked_for = |file: &&String| self.only.as_ref().is_none_or(|only| only == *file);
        self.contents.files.keys().filter(asked_for).map(|file| self.path_of(file))
    }

    pub fn failed_tests(&self) -> usize {
        self.findings.iter().filter(|finding| finding.code == Code::FailedTest).count()
    }

    /// A folder without any flag is more often a wrong path than intended.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.flags > 0
    }

    /// `flags: 1 flag, 1 segment, 7 tests: all good`.
    pub fn verdict(&self) -> String {
        let what = match &self.only {
            Some(_) => display_text::path(&self.path),
            None => {
                let counts = [
                    count(self.flags, "flag"),
                    count(self.segments, "segment"),
                    count(self.tests, "test"),
                ];
                format!("{}: {}", display_text::path(&self.path), counts.join(", "))
            }
        };
        let failed = self.failed_tests();
        let verdict = match (self.findings.len() - failed, failed) {
            (0, 0) if self.flags == 0 => "there is no flag here".to_owned(),
            (0, 0) => "all good".to_owned(),
            (errors, 0) => count(errors, "error"),
            (0, failed) => count(failed, "failed test"),
            (errors, failed) => {
                format!("{}, {}", count(errors, "error"), count(failed, "failed test"))
            }
        };
        format!("{what}: {verdict}")
    }

    /// Prints each finding with its source, and the verdict.
    fn print(&self) {
        let colour = output::prints_to_a_terminal() && !no_colour();
        let drawn = |finding| {
            format!("{}\n\n", render(finding, &self.contents, |file| self.path_of(file), colour))
        };
        let drawn: String = self.findings.iter().map(drawn).collect();
        if colour {
            output::print_styled(&drawn);
        } else {
            print(&drawn);
        }
        print(&format!("{}\n", self.verdict()));
    }
}

/// The flags folder a path belongs to, and the one file of it that was asked for.
fn folder_of(path: &Path) -> (PathBuf, Option<String>) {
    if path.is_dir() {
        return (path.to_owned(), None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = parent(path);
    match folder.file_name() {
        Some(segments) if segments == "segments" => {
            (parent(&folder), Some(format!("segments/{name}")))
        }
        _ => (folder, Some(name)),
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

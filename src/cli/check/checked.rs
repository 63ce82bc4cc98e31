//! What was found in one folder of flags, or about one file of it.

use std::path::{Path, PathBuf};

use super::target::Target;
use super::unread;
use crate::cli::output;
use crate::count::count;
use crate::definition::{Code, DefinitionSet, Finding, FlagFiles, render};
use crate::display_text;
use crate::telemetry::no_colour;

pub struct Checked {
    path: PathBuf,
    root: PathBuf,
    /// The one file of the folder that was asked for.
    only: Option<String>,
    contents: FlagFiles,
    pub findings: Vec<Finding>,
    /// What deserves a look and keeps nothing from going live.
    pub notes: Vec<Finding>,
    pub flags: usize,
    pub segments: usize,
    pub tests: usize,
}

impl Checked {
    pub fn read(path: &Path, internal_user_ids: &[String]) -> Checked {
        let Target { root, only, contents } = Target::of(path, internal_user_ids);
        let mut definitions = DefinitionSet::default();
        let mut findings = definitions.update(&contents);
        let mut notes = definitions.notes();
        match &only {
            None => notes.extend(unread::notes(&root, &contents)),
            Some(only) => {
                let files = definitions.files_that_decide(only);
                findings.retain(|finding| files.contains(&finding.file));
                notes.retain(|note| *note.file == **only);
                if !contents.files.contains_key(only) {
                    notes.push(unread::note(only));
                }
            }
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
            notes,
        }
    }

    /// The path of a file of the folder: as it was typed, or relative to where the command runs.
    pub fn path_of(&self, file: &str) -> String {
        let path = match &self.only {
            Some(only) if only == file => self.path.clone(),
            _ if file.is_empty() => self.root.clone(),
            _ => self.root.join(file),
        };
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
        self.findings.is_empty() && (self.only.is_some() || self.flags > 0)
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
        let notes = match self.notes.len() {
            0 => String::new(),
            notes => format!(", {}", count(notes, "note")),
        };
        format!("{what}: {}{notes}", self.judgement())
    }

    fn judgement(&self) -> String {
        let failed = self.failed_tests();
        match (self.findings.len() - failed, failed) {
            (0, 0) if self.is_unread() => "not read".to_owned(),
            (0, 0) if !self.is_good() => "there is no flag here".to_owned(),
            (0, 0) => "all good".to_owned(),
            (errors, 0) => count(errors, "error"),
            (0, failed) => count(failed, "failed test"),
            (errors, failed) => {
                format!("{}, {}", count(errors, "error"), count(failed, "failed test"))
            }
        }
    }

    fn is_unread(&self) -> bool {
        self.only.as_ref().is_some_and(|only| !self.contents.files.contains_key(only))
    }

    /// Prints each finding with its source, and the verdict.
    pub fn print(&self) {
        let colour = output::prints_to_a_terminal() && !no_colour();
        let drawn = |finding| {
            let shown = |file: &str| self.path_of(file);
            let drawn = render(finding, &self.contents, shown, colour, output::columns());
            format!("{drawn}\n\n")
        };
        let drawn: String = self.findings.iter().chain(&self.notes).map(drawn).collect();
        if colour {
            output::print_styled(&drawn);
        } else {
            output::print_lines(&drawn);
        }
        output::print_lines(&format!("{}\n", self.verdict()));
    }
}

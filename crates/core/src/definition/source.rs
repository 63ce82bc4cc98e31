//! One subject of the definition set: its file as last read, the findings of that file, and the
//! last good form made from it. The definition set decides when a form is good.

use std::sync::Arc;

use super::files::File;
use super::finding::{Code, Finding};

/// A subject: its file as last read, and the last good form made from it.
#[derive(Debug)]
pub struct TrackedSource<Candidate, Form> {
    /// The content when it was last read; the same content is not read again.
    pub source: Source,
    pub present: bool,
    /// Read, but not yet linked and tested.
    pub candidate: Option<Candidate>,
    /// The findings of the file itself.
    pub findings: Vec<Finding>,
    pub good: Option<Arc<Form>>,
    /// The source of the last good form.
    pub good_source: Source,
}

/// The files that a subject is made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    pub file: Option<File>,
    pub users_file: Option<(String, Option<File>)>,
    pub internal_user_ids: Vec<String>,
    /// Whether the list of retired flags has its key.
    pub is_retired: bool,
}

impl<Candidate, Form> TrackedSource<Candidate, Form> {
    pub fn new() -> Self {
        TrackedSource {
            source: Source::default(),
            present: false,
            candidate: None,
            findings: Vec::new(),
            good: None,
            good_source: Source::default(),
        }
    }

    /// The findings of a subject whose file is in this folder.
    pub fn all_findings(&self, folder: &str, key: &str, what: &str) -> Vec<Finding> {
        if self.present {
            return self.findings.clone();
        }
        let message = format!("the file is gone; the {what} stays as it last was");
        let hint = match what {
            "flag" => format!("bring the file back, or give the flag up: turnout retire {key}"),
            _ => "bring the file back".to_owned(),
        };
        vec![
            Finding::of_file(&format!("{folder}{key}.yaml"), Code::VanishedFile, message)
                .with_hint(hint),
        ]
    }
}

impl<Candidate, Form: PartialEq> TrackedSource<Candidate, Form> {
    /// Makes `new` the form in force. A save with the same meaning, for example a new comment,
    /// changes nothing.
    pub fn promote(&mut self, new: Arc<Form>) {
        if self.good.as_ref() != Some(&new) {
            (self.good, self.good_source) = (Some(new), self.source.clone());
        }
    }
}

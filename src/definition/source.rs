//! One subject of the library: its file as last read, what is wrong with it, and the last good form
//! made from it. When a form is good is for the library to decide.

use std::sync::Arc;

use super::files::File;
use super::finding::{Code, Finding};

/// One subject: the file as last read, and the last good form made from it.
#[derive(Debug)]
pub struct TrackedSource<Candidate, Form> {
    /// What the file held when it was read; the same content is not read again.
    pub source: Source,
    pub present: bool,
    /// Read, but not yet linked and tested.
    pub candidate: Option<Candidate>,
    /// What is wrong with the file itself.
    pub findings: Vec<Finding>,
    pub good: Option<Arc<Form>>,
    /// What the last good form was made from.
    pub good_source: Source,
}

/// The files a subject is made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    pub file: Option<File>,
    pub users_file: Option<(String, Option<File>)>,
    pub internal_user_ids: Vec<String>,
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

    /// A subject's, whose file stands in that folder.
    pub fn all_findings(&self, folder: &str, key: &str, what: &str) -> Vec<Finding> {
        if self.present {
            return self.findings.clone();
        }
        let message = format!("the file is gone; the {what} stays as it last was");
        vec![
            Finding::of_file(&format!("{folder}{key}.yaml"), Code::VanishedFile, message)
                .with_hint("bring the file back"),
        ]
    }
}

impl<Candidate, Form: PartialEq> TrackedSource<Candidate, Form> {
    /// A save that means the same, say one that only adds a comment, changes nothing.
    pub fn promote(&mut self, new: Arc<Form>) {
        if self.good.as_ref() != Some(&new) {
            (self.good, self.good_source) = (Some(new), self.source.clone());
        }
    }
}

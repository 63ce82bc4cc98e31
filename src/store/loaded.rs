//! What a database holds at its head: every subject in its present state, and the rows that cannot
//! be used.

use std::collections::BTreeMap;

use crate::ledger::{
    Blobs, Credential, CredentialRecord, FlagRecord, Head, Record, SegmentRecord, Subject,
};

/// The content of a database at its head.
#[derive(Debug)]
pub struct Loaded {
    pub epoch: String,
    pub head: Head,
    pub subjects: Vec<SubjectRow>,
    /// Removed subjects, and the revision of their removal.
    pub removed: BTreeMap<Subject, u64>,
    pub blobs: Blobs,
    /// Credentials in the form of older builds that are still to be converted; `None` once they
    /// are.
    pub old_tokens: Option<Vec<Credential>>,
    pub poison: Vec<Poison>,
    /// The newest revision with a change that may belong to another subject: any subject that did
    /// not change since may have lost it.
    pub newest_stray: Option<u64>,
}

/// The present state of the subjects.
#[derive(Debug, Default)]
pub struct Subjects {
    pub subjects: Vec<SubjectRow>,
    pub removed: BTreeMap<Subject, u64>,
    pub poison: Vec<Poison>,
    pub newest_stray: Option<u64>,
}

/// The present state of a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectRow {
    pub subject: Subject,
    pub record: Record,
    pub changed_at: u64,
}

/// A subject whose row cannot be read, or differs from what its newest change left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// The subject, if it could be read.
    pub subject: Option<Subject>,
    pub changed_at: u64,
    pub why: String,
    /// The record that its newest change left, if that revision matches its hash and no later one
    /// is known to have changed the subject.
    pub believed: Option<String>,
    /// Other records found for it, which may have been altered.
    pub doubtful: Vec<String>,
}

impl Poison {
    /// A subject that the database does not know.
    pub fn missing(subject: Subject, changed_at: u64) -> Poison {
        Poison {
            subject: Some(subject),
            changed_at,
            why: "is missing".to_owned(),
            believed: None,
            doubtful: Vec::new(),
        }
    }

    /// A row that agrees with its newest change, but must not be used as it is. `is_proven`: that
    /// change matches its hash.
    pub fn of_row(row: &SubjectRow, is_proven: bool, why: &str) -> Poison {
        let json = Some(row.record.json());
        let (believed, doubtful) = if is_proven { (json, None) } else { (None, json) };
        let doubtful = doubtful.into_iter().collect();
        Poison {
            subject: Some(row.subject.clone()),
            changed_at: row.changed_at,
            why: why.to_owned(),
            believed,
            doubtful,
        }
    }
}

/// A record of the subject's kind.
pub fn record(subject: &Subject, json: &str) -> Result<Record, String> {
    let read = match subject {
        Subject::Flag(_) => serde_json::from_str::<FlagRecord>(json).map(Record::Flag),
        Subject::Segment(_) => serde_json::from_str::<SegmentRecord>(json).map(Record::Segment),
        Subject::Credential(_) => {
            serde_json::from_str::<CredentialRecord>(json).map(Record::Credential)
        }
    };
    read.map_err(|error| error.to_string())
}

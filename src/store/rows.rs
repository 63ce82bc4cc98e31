//! Converts rows to values. A row with invalid content is reported, never trusted and never fatal.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{StoreError, StoredRevision};
use crate::ledger::{
    Action, Actor, Blobs, Change, ChangeSource, Credential, CredentialRecord, FlagRecord, Head,
    PastStep, Record, Revision, Role, SegmentRecord, Subject,
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

pub fn head(row: &SqliteRow) -> Result<(String, Head), StoreError> {
    let read = || -> Result<(String, Head), String> {
        let number = |column| row.try_get::<i64, _>(column).map_err(|error| error.to_string());
        let text = |column| row.try_get::<String, _>(column).map_err(|error| error.to_string());
        let revision = u64::try_from(number("revision")?).map_err(|error| error.to_string())?;
        let hash = text("hash")?.parse().map_err(|error| format!("{error}"))?;
        Ok((text("epoch")?, Head { revision, hash, committed_at_ms: number("committed_at_ms")? }))
    };
    read().map_err(|why| StoreError::Unreadable { what: "`head`".to_owned(), why })
}

/// A credential as written by builds before credentials were revisions.
pub fn old_token(row: &SqliteRow) -> Result<Credential, String> {
    let text = |column| row.try_get::<String, _>(column).map_err(|error| error.to_string());
    let time = |column| row.try_get::<Option<i64>, _>(column).map_err(|error| error.to_string());
    let flags = row.try_get::<Option<String>, _>("flags").map_err(|error| error.to_string())?;
    let record = CredentialRecord {
        name: text("name")?,
        role: Role::parse(&text("role")?).ok_or("it has no known role")?,
        flags: flags
            .map(|flags| serde_json::from_str(&flags))
            .transpose()
            .map_err(|error| error.to_string())?,
        hash: text("hash")?.parse().map_err(|error| format!("{error}"))?,
        created_at_ms: time("created_at_ms")?.unwrap_or_default(),
        created_by: text("created_by")?.as_str().into(),
        expires_at_ms: time("expires_at_ms")?,
        revoked_at_ms: time("revoked_at_ms")?,
        revoked_by: None,
        revoked_by_id: None,
        unknown: Default::default(),
    };
    Ok(Credential { id: text("id")?.parse().map_err(|error| format!("{error}"))?, record })
}

/// A revision without its changes, with the hash in its row.
pub fn revision(row: &SqliteRow) -> Result<StoredRevision, StoreError> {
    let number = row.try_get::<i64, _>("revision").unwrap_or_default().max(0) as u64;
    let read = || -> Result<StoredRevision, String> {
        let text = |column| row.try_get::<String, _>(column).map_err(|error| error.to_string());
        let maybe =
            |column| row.try_get::<Option<String>, _>(column).map_err(|error| error.to_string());
        let time = |column| row.try_get::<i64, _>(column).map_err(|error| error.to_string());
        let revision = Revision {
            revision: number,
            committed_at_ms: time("committed_at_ms")?,
            effective_at_ms: time("effective_at_ms")?,
            actor: Actor { name: text("actor")?, id: maybe("actor_id")? },
            origin: ChangeSource::parse(&text("origin")?).ok_or("it has no known origin")?,
            reason: maybe("reason")?,
            idempotency_key: maybe("idempotency_key")?,
            changes: Vec::new(),
        };
        Ok(StoredRevision {
            revision,
            hash: text("hash")?.parse().map_err(|error| format!("{error}"))?,
            more_changes: 0,
        })
    };
    read().map_err(|why| StoreError::Unreadable { what: format!("{number} of `revisions`"), why })
}

/// A change without its records.
pub fn step(row: &SqliteRow) -> Result<PastStep, StoreError> {
    let revision = row.try_get::<i64, _>("revision").unwrap_or_default().max(0) as u64;
    let read = || -> Result<PastStep, String> {
        let text = row.try_get::<String, _>("action").map_err(|error| error.to_string())?;
        let back_to =
            row.try_get::<Option<i64>, _>("back_to").map_err(|error| error.to_string())?;
        let action = Action::parse(&text, back_to.map(|to| to.max(0) as u64))
            .ok_or("it has no known action")?;
        Ok(PastStep { revision, action })
    };
    read().map_err(|why| StoreError::Unreadable { what: format!("{revision} of `changes`"), why })
}

/// A change and its revision.
pub fn change(row: &SqliteRow) -> (u64, Result<Change, StoreError>) {
    let number = row.try_get::<i64, _>("revision").unwrap_or_default().max(0) as u64;
    let read = || -> Result<Change, String> {
        let text = |column| row.try_get::<String, _>(column).map_err(|error| error.to_string());
        let maybe =
            |column| row.try_get::<Option<String>, _>(column).map_err(|error| error.to_string());
        let subject =
            Subject::parse(&text("kind")?, &text("subject")?).ok_or("it names no subject")?;
        let back_to =
            row.try_get::<Option<i64>, _>("back_to").map_err(|error| error.to_string())?;
        let action = Action::parse(&text("action")?, back_to.map(|to| to.max(0) as u64))
            .ok_or("it has no known action")?;
        let read = |json: Option<String>| json.map(|json| record(&subject, &json)).transpose();
        let (before, after) = (read(maybe("record_before")?)?, read(maybe("record_after")?)?);
        Ok(Change { subject, action, before, after })
    };
    (
        number,
        read()
            .map_err(|why| StoreError::Unreadable { what: format!("{number} of `changes`"), why }),
    )
}

//! Writes the changes of a large revision, some hundred in one statement.

use std::collections::BTreeSet;

use serde_json::json;

use super::batch::bytes_of;
use crate::ledger::{Change, Record};
use crate::store::messages::{COMMIT_BLOB_BYTES, Commit};

/// The most changes, and the most bytes of changes, in one statement.
const MAX_CHANGES_PER_STATEMENT: usize = 500;
const TOGETHER_BYTES: usize = 1024 * 1024;
/// The size of a database page.
const PAGE_BYTES: usize = 4096;

/// Binds a revision and one of its [`chunks`]. No subject is in a chunk twice.
pub const CHANGES: &str = "INSERT INTO changes (revision, place, kind, subject, action, back_to, record_before, record_after) \
    SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each($2); \
    DELETE FROM subjects WHERE (kind, subject) IN \
        (SELECT value ->> 1, value ->> 2 FROM json_each($2) WHERE value ->> 6 IS NULL); \
    INSERT INTO subjects (kind, subject, changed_at, record) \
    SELECT value ->> 1, value ->> 2, $1, value ->> 6 FROM json_each($2) WHERE value ->> 6 IS NOT NULL \
    ON CONFLICT (kind, subject) DO UPDATE SET changed_at = excluded.changed_at, record = excluded.record";

/// The changes in order: place, kind, key, action, the revision it goes back to, record before,
/// record after.
pub fn chunks(changes: &[Change]) -> impl Iterator<Item = String> {
    let mut rest = changes.iter().enumerate().peekable();
    std::iter::from_fn(move || {
        let (mut chunk, mut subjects) = (String::from("["), BTreeSet::new());
        while let Some((place, change)) = rest.peek() {
            let subject = (change.subject.kind(), change.subject.key());
            if subjects.len() == MAX_CHANGES_PER_STATEMENT
                || chunk.len() > TOGETHER_BYTES
                || !subjects.insert(subject)
            {
                break;
            }
            let json = |record: &Option<Record>| record.as_ref().map(Record::json);
            let (before, after) = (json(&change.before), json(&change.after));
            let row = json!([
                place,
                subject.0,
                subject.1,
                change.action.as_str(),
                change.action.target_revision(),
                before,
                after
            ]);
            if chunk.len() > 1 {
                chunk.push(',');
            }
            chunk.push_str(&row.to_string());
            rest.next();
        }
        chunk.push(']');
        (!subjects.is_empty()).then_some(chunk)
    })
}

impl Commit<'_> {
    /// The most bytes it writes: each record goes into the history and into its subject's state,
    /// each perhaps on a page of its own, and everything goes first into the log and from there
    /// into the database file.
    pub fn bytes(&self) -> u64 {
        let length =
            |record: &Option<Record>| record.as_ref().map_or(0, |record| record.json().len());
        let of_change =
            |change: &Change| length(&change.before) + 2 * length(&change.after) + 3 * PAGE_BYTES;
        let changes: usize = self.revision.changes.iter().map(of_change).sum();
        let blobs = bytes_of(self.blobs).min(COMMIT_BLOB_BYTES);
        2 * (changes + blobs + 4 * PAGE_BYTES) as u64
    }
}

//! Writes blobs to the database in parts. A statement carries a bounded number of parts, so that no
//! statement is large.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::blobs::PART_BYTES;
use crate::ledger::{Blobs, ContentHash};

/// The most bytes, and the most parts, of one statement: there are short blobs too.
pub const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_PARTS: usize = 512;
/// The most blobs that one query asks for.
pub const MAX_BLOBS_PER_QUERY: usize = 256;

/// Writes the parts that are missing; an empty blob becomes NULL in SQLite. A staged blob is
/// corrected to the bytes given here. A blob that a revision names already and that was altered is
/// not overwritten: `history --verify` is to report it.
macro_rules! write_parts {
    () => {
        "INSERT INTO texts (id, part, bytes) \
         SELECT value ->> 0, value ->> 1, coalesce(substr($2, value ->> 2, value ->> 3), x'') FROM json_each($1) WHERE true \
         ON CONFLICT (id, part) DO UPDATE SET bytes = excluded.bytes \
             WHERE bytes IS NOT excluded.bytes AND EXISTS (SELECT 1 FROM staged_texts AS s WHERE s.id = texts.id); \
         DELETE FROM texts WHERE rowid IN (SELECT t.rowid FROM json_each($3) AS whole \
             JOIN staged_texts AS s ON s.id = whole.value ->> 0 \
             JOIN texts AS t ON t.id = s.id AND (t.part < 0 OR t.part >= whole.value ->> 1));"
    };
}
pub(super) use write_parts;

/// Blobs that are still to be written; the first of them from some part on.
#[derive(Default)]
pub struct Waiting {
    blobs: VecDeque<(ContentHash, Bytes)>,
    next_part: usize,
}

/// The next parts.
#[derive(Default)]
pub struct Batch {
    /// The position of each part in `bytes`: its blob's id, its number, its first byte counted from
    /// 1, its length.
    parts: Vec<Json>,
    pub bytes: Vec<u8>,
    /// The blobs that this batch completes, and their numbers of parts.
    whole: Vec<Json>,
    next_part: usize,
}

impl Waiting {
    pub fn push(&mut self, id: ContentHash, text: Bytes) {
        self.blobs.push_back((id, text));
    }

    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// The next parts. They stay in the queue until [`were_written`](Waiting::were_written) removes
    /// them.
    pub fn next(&self) -> Batch {
        let mut batch = Batch::default();
        for (index, (id, text)) in self.blobs.iter().enumerate() {
            let id = id.to_string();
            let first = if index == 0 { self.next_part } else { 0 };
            for part in first..parts_of(text) {
                let from = part * PART_BYTES;
                if !batch.add(&id, part, &text[from..text.len().min(from + PART_BYTES)]) {
                    batch.next_part = part;
                    return batch;
                }
            }
            batch.whole.push(json!([id, parts_of(text)]));
        }
        batch
    }

    pub fn were_written(&mut self, batch: &Batch) {
        self.blobs.drain(..batch.whole.len());
        self.next_part = batch.next_part;
    }
}

impl Batch {
    /// The first and the third bound value.
    pub fn places(&self) -> (String, String) {
        (json!(self.parts).to_string(), json!(self.whole).to_string())
    }

    /// Adds a part; returns whether it fitted.
    fn add(&mut self, id: &str, part: usize, bytes: &[u8]) -> bool {
        let is_full =
            self.parts.len() == BATCH_PARTS || self.bytes.len() + bytes.len() > BATCH_BYTES;
        if is_full {
            return false;
        }
        self.parts.push(json!([id, part, self.bytes.len() + 1, bytes.len()]));
        self.bytes.extend_from_slice(bytes);
        true
    }
}

/// Writes everything in the queue within the current transaction.
pub async fn write(
    connection: &mut SqliteConnection,
    mut waiting: Waiting,
) -> Result<(), sqlx::Error> {
    while !waiting.is_empty() {
        let mut batch = waiting.next();
        let (parts, whole) = batch.places();
        let query = sqlx::query(write_parts!())
            .bind(parts)
            .bind(std::mem::take(&mut batch.bytes))
            .bind(whole);
        query.execute(&mut *connection).await?;
        waiting.were_written(&batch);
    }
    Ok(())
}

/// What is stored of each blob. The lengths are summed blob by blob: grouped, SQLite would sort the
/// bytes themselves for it, and a list of a million ids would take it a second.
const THERE: &str = "SELECT wanted.value ->> 0, \
    (SELECT count(*) FROM texts AS t WHERE t.id = wanted.value ->> 0 AND t.part >= 0 AND t.part < wanted.value ->> 1), \
    (SELECT count(*) FROM texts AS t WHERE t.id = wanted.value ->> 0), \
    (SELECT sum(length(t.bytes)) FROM texts AS t WHERE t.id = wanted.value ->> 0), \
    EXISTS (SELECT 1 FROM staged_texts AS s WHERE s.id = wanted.value ->> 0) \
    FROM json_each($1) AS wanted WHERE EXISTS (SELECT 1 FROM texts AS t WHERE t.id = wanted.value ->> 0)";

/// The blobs among these that are incomplete, by their parts or by their length: earlier builds
/// wrote parts of another size. A staged blob has both.
pub async fn lacking<'t>(
    connection: &mut SqliteConnection,
    blobs: impl IntoIterator<Item = (&'t ContentHash, &'t Bytes)>,
) -> Result<Vec<(ContentHash, Bytes)>, sqlx::Error> {
    let blobs: Vec<_> = blobs.into_iter().collect();
    let wanted: Vec<_> = blobs.iter().map(|(id, text)| (*id, parts_of(text))).collect();
    let rows = sqlx::query(THERE).bind(json!(wanted).to_string()).fetch_all(connection).await?;
    let mut there = BTreeMap::new();
    for row in &rows {
        there.insert(
            row.try_get::<String, _>(0)?,
            [1, 2, 3, 4].map(|column| row.try_get::<i64, _>(column).unwrap_or(-1)),
        );
    }
    let is_lacking = |(id, text): &(&ContentHash, &Bytes)| {
        let Some([wanted, parts, length, staged]) = there.get(&id.to_string()) else { return true };
        let has_its_length = *length == text.len() as i64;
        let has_all_parts = *wanted == parts_of(text) as i64;
        let is_whole = if *staged == 1 {
            has_all_parts && has_its_length && parts == wanted
        } else {
            has_all_parts || has_its_length
        };
        !is_whole
    };
    Ok(blobs.into_iter().filter(is_lacking).map(|(id, text)| (*id, text.clone())).collect())
}

pub fn bytes_of(blobs: &Blobs) -> usize {
    blobs.values().map(|text| text.len()).sum()
}

/// At least one, so that an empty blob has a row too.
fn parts_of(text: &[u8]) -> usize {
    text.len().div_ceil(PART_BYTES).max(1)
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection};

    use super::*;
    use crate::store::sqlite::schema::migrator;

    #[tokio::test]
    async fn a_look_at_what_is_stored_sorts_no_bytes() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrator().run(&mut connection).await.unwrap();
        let look = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {THERE}"))).bind("[]");
        let plan = look.fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        assert!(plan.iter().any(|step| step.starts_with("SEARCH t ")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
    }
}

//! Writes blobs before the revision that names them, a step at a time: a list of a million ids
//! takes as long as the disk needs, and other commits run between the steps.
//!
//! They are marked (`staged_texts`) until a revision names them. A blob that is never named stays
//! until the next staging, which removes it.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use serde_json::json;
use sqlx::Row;
use tokio::sync::MutexGuard;

use super::batch::{self, BATCH_BYTES, MAX_BLOBS_PER_QUERY, Waiting, write_parts};
use super::database::Sqlite;
use crate::ledger::{Blobs, ContentHash};
use crate::store::error::StoreError;
use crate::store::messages::COMMIT_BLOB_BYTES;

/// The most bytes that one step writes: its own, and what the database copies from its log
/// meanwhile (4 MiB and one step more).
pub const STEP_BYTES: usize = 2 * BATCH_BYTES + 4 * 1024 * 1024;

/// The progress of a staging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Blobs that were stored before count as done.
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// The staging of blobs. Only one runs at a time: the next waits for its end. It may be dropped
/// between steps and within one; the next staging goes on where it stopped.
pub struct Staging<'a> {
    sqlite: &'a Sqlite,
    _alone: MutexGuard<'a, ()>,
    leftovers: Leftovers,
    unseen: VecDeque<(ContentHash, Bytes)>,
    waiting: Waiting,
    progress: Progress,
}

/// Blobs of an earlier staging that no revision names.
enum Leftovers {
    /// Still to be searched for, after this id.
    After(String),
    Found {
        ids: Vec<String>,
        last: String,
    },
    None,
}

impl Sqlite {
    pub async fn stage_blobs(&self, blobs: &Blobs) -> Staging<'_> {
        Staging::new(self, self.staging.lock().await, blobs)
    }
}

impl<'a> Staging<'a> {
    fn new(sqlite: &'a Sqlite, alone: MutexGuard<'a, ()>, blobs: &Blobs) -> Staging<'a> {
        let total_bytes = batch::bytes_of(blobs) as u64;
        // Blobs that a commit writes by itself are not staged.
        let is_small = total_bytes as usize <= COMMIT_BLOB_BYTES;
        let done_bytes = if is_small { total_bytes } else { 0 };
        Staging {
            sqlite,
            _alone: alone,
            leftovers: if is_small { Leftovers::None } else { Leftovers::After(String::new()) },
            unseen: if is_small {
                VecDeque::new()
            } else {
                blobs.iter().map(|(id, text)| (*id, text.clone())).collect()
            },
            waiting: Waiting::default(),
            progress: Progress { done_bytes, total_bytes },
        }
    }

    pub fn progress(&self) -> Progress {
        self.progress
    }

    pub fn is_done(&self) -> bool {
        matches!(self.leftovers, Leftovers::None)
            && self.unseen.is_empty()
            && self.waiting.is_empty()
    }

    /// Writes at most [`STEP_BYTES`], in its own transaction. Waits for a running commit.
    pub async fn step(&mut self) -> Result<Progress, StoreError> {
        self.sqlite.check_file().await?;
        if !matches!(self.leftovers, Leftovers::None) {
            let own: BTreeSet<String> = self.unseen.iter().map(|(id, _)| id.to_string()).collect();
            self.leftovers = self.leftovers.step(self.sqlite, &own).await?;
            return Ok(self.progress);
        }
        if self.waiting.is_empty() {
            self.look_for_next().await?;
        }
        if !self.waiting.is_empty() {
            self.write_next().await?;
        }
        Ok(self.progress)
    }

    async fn look_for_next(&mut self) -> Result<(), StoreError> {
        let next = self.unseen.len().min(MAX_BLOBS_PER_QUERY);
        let blobs = self.unseen.range(..next).map(|(id, text)| (id, text));
        let lacking = batch::lacking(&mut *self.sqlite.reader.lock().await, blobs).await;
        let lacking = lacking.map_err(StoreError::doing("look for definitions"))?;
        let looked_at: usize = self.unseen.drain(..next).map(|(_, text)| text.len()).sum();
        let to_write: usize = lacking.iter().map(|(_, text)| text.len()).sum();
        self.progress.done_bytes += (looked_at - to_write) as u64;
        lacking.into_iter().for_each(|(id, text)| self.waiting.push(id, text));
        Ok(())
    }

    async fn write_next(&mut self) -> Result<(), StoreError> {
        // An incomplete blob that is not marked as staged is one that a revision names: it is
        // completed, and not marked.
        const STEP: &str = concat!(
            "BEGIN IMMEDIATE; \
             INSERT INTO staged_texts (id) SELECT DISTINCT value ->> 0 FROM json_each($1) \
             WHERE NOT EXISTS (SELECT 1 FROM texts WHERE id = value ->> 0) ON CONFLICT DO NOTHING; ",
            write_parts!(),
            " COMMIT"
        );
        let mut batch = self.waiting.next();
        let (parts, whole) = batch.places();
        let bytes = std::mem::take(&mut batch.bytes);
        let written = bytes.len();
        let mut taken = self.sqlite.writer.take().await?;
        let query = sqlx::query(STEP).bind(parts).bind(bytes).bind(whole);
        query.execute(taken.connection()).await.map_err(StoreError::doing("write definitions"))?;
        taken.release();
        self.waiting.were_written(&batch);
        self.progress.done_bytes += written as u64;
        Ok(())
    }
}

impl Leftovers {
    async fn step(&self, sqlite: &Sqlite, own: &BTreeSet<String>) -> Result<Leftovers, StoreError> {
        match self {
            Leftovers::None => Ok(Leftovers::None),
            Leftovers::After(last) => find(sqlite, last, own).await,
            Leftovers::Found { ids, last } => match remove_some(sqlite, ids).await? {
                0 => Ok(Leftovers::After(last.clone())),
                _ => Ok(Leftovers::Found { ids: ids.clone(), last: last.clone() }),
            },
        }
    }
}

async fn find(
    sqlite: &Sqlite,
    after: &str,
    own: &BTreeSet<String>,
) -> Result<Leftovers, StoreError> {
    const MARKED: &str = "SELECT id FROM staged_texts WHERE id > $1 ORDER BY id LIMIT $2";
    let query = sqlx::query(MARKED).bind(after.to_owned()).bind(MAX_BLOBS_PER_QUERY as i64);
    let rows = query
        .fetch_all(&mut *sqlite.reader.lock().await)
        .await
        .map_err(StoreError::doing("look for definitions"))?;
    let ids: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    let Some(last) = ids.last().cloned() else { return Ok(Leftovers::None) };
    Ok(Leftovers::Found { ids: ids.into_iter().filter(|id| !own.contains(id)).collect(), last })
}

/// Removes some rows and returns how many.
async fn remove_some(sqlite: &Sqlite, ids: &[String]) -> Result<u64, StoreError> {
    // Only blobs that are still marked: one that a revision has named since is not.
    const REMOVE: &str = "BEGIN IMMEDIATE; \
        DELETE FROM texts WHERE rowid IN (SELECT t.rowid FROM json_each($1) AS leftover \
            JOIN staged_texts AS s ON s.id = leftover.value JOIN texts AS t ON t.id = s.id LIMIT 64); \
        DELETE FROM staged_texts WHERE id IN (SELECT value FROM json_each($1)) \
            AND NOT EXISTS (SELECT 1 FROM texts AS t WHERE t.id = staged_texts.id); \
        COMMIT";
    if ids.is_empty() {
        return Ok(0);
    }
    let mut taken = sqlite.writer.take().await?;
    let done = sqlx::query(REMOVE).bind(json!(ids).to_string()).execute(taken.connection()).await;
    let done = done.map_err(StoreError::doing("remove definitions that no revision names"))?;
    taken.release();
    Ok(done.rows_affected())
}

//! The connection for writes, and how a revision is written to the database.
//!
//! Each call of SQLite wakes a thread and waits for it, which takes longer than the work itself. So
//! a revision of one change takes two calls: one begins and reads the head, the other writes
//! everything and commits. A definition that is new takes one more, and so do each few hundred changes.

use serde_json::json;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::batch::{self, MAX_BLOBS_PER_QUERY, Waiting};
use super::blobs::PART_BYTES;
use super::changes::{self, CHANGES};
use super::connection::{OpenConnection, connect};
use super::rows;
use crate::ledger::{Blobs, Change, Record, Revision};
use crate::store::error::{COMMITTING, StoreError};
use crate::store::messages::{COMMIT_BLOB_BYTES, Commit};

/// The only connection that writes.
#[derive(Debug)]
pub struct Writer {
    options: SqliteConnectOptions,
    /// `None` while the connection is in use: one that an error or a timeout leaves in the middle
    /// of a transaction is not used again, and the transaction is lost with it.
    place: Mutex<Option<OpenConnection>>,
}

/// The connection, taken out until it is put back.
pub struct WriterGuard<'a> {
    place: MutexGuard<'a, Option<OpenConnection>>,
    connection: OpenConnection,
}

impl WriterGuard<'_> {
    pub fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Puts the connection back; no transaction is open.
    pub fn release(self) {
        let WriterGuard { mut place, connection } = self;
        *place = Some(connection);
    }
}

macro_rules! change {
    () => {
        "INSERT INTO changes (revision, place, kind, subject, action, back_to, record_before, record_after) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8); \
         DELETE FROM subjects WHERE $8 IS NULL AND kind = $3 AND subject = $4; \
         INSERT INTO subjects (kind, subject, changed_at, record) SELECT $3, $4, $1, $8 WHERE $8 IS NOT NULL \
         ON CONFLICT (kind, subject) DO UPDATE SET changed_at = $1, record = $8;"
    };
}

macro_rules! revision {
    () => {
        "INSERT INTO revisions (revision, committed_at_ms, effective_at_ms, actor, origin, reason, idempotency_key, hash, actor_id) \
         VALUES ($1, $9, $10, $11, $12, $13, $14, $15, $17); \
         INSERT INTO idempotency (idempotency_key, request, revision) SELECT $14, $16, $1 WHERE $14 IS NOT NULL AND $16 IS NOT NULL; \
         UPDATE head SET revision = $1, hash = $15, committed_at_ms = $9; \
         COMMIT"
    };
}

/// Begins for writing at once: a transaction that reads first and writes later fails when another
/// wrote in between.
const BEGIN: &str = "BEGIN IMMEDIATE; SELECT * FROM head";
const REVISION: &str = revision!();
const CHANGE_AND_REVISION: &str = concat!(change!(), revision!());

/// Revisions that change nothing.
const ROWS: &str = "INSERT INTO revisions (revision, committed_at_ms, effective_at_ms, actor, origin, reason, hash) \
     SELECT value ->> 0, value ->> 1, value ->> 1, $2, $3, $4, value ->> 2 FROM json_each($1)";
const ROWS_TOGETHER: usize = 1000;
const HEAD: &str = "UPDATE head SET revision = $1, hash = $2, committed_at_ms = $3; COMMIT";

impl Writer {
    pub fn new(options: SqliteConnectOptions, connection: Option<OpenConnection>) -> Writer {
        Writer { options, place: Mutex::new(connection) }
    }

    pub async fn take(&self) -> Result<WriterGuard<'_>, StoreError> {
        let mut place = self.place.lock().await;
        let connection = match place.take() {
            Some(connection) => connection,
            None => connect(&self.options).await?,
        };
        Ok(WriterGuard { place, connection })
    }

    /// Closes the connection and waits for it.
    pub async fn release(self) {
        if let Some(connection) = self.place.into_inner() {
            let _ = connection.close().await;
        }
    }

    pub async fn commit(&self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let mut taken = self.take().await?;
        let row = sqlx::query(BEGIN).fetch_one(taken.connection()).await;
        let (_, head) = rows::head(&row.map_err(StoreError::doing("begin a change"))?)?;
        if head != *commit.expected_head {
            return Err(StoreError::Moved);
        }
        write_blobs(taken.connection(), commit.blobs).await?;
        write(taken.connection(), commit).await.map_err(StoreError::doing(COMMITTING))?;
        taken.release();
        Ok(())
    }
}

impl Writer {
    pub async fn pass_over(&self, up_to: u64, like: &Revision) -> Result<bool, StoreError> {
        let mut taken = self.take().await?;
        let row = sqlx::query(BEGIN).fetch_one(taken.connection()).await;
        let (_, mut head) = rows::head(&row.map_err(StoreError::doing("begin a change"))?)?;
        let passed = head.revision < up_to;
        while head.revision < up_to {
            let mut rows = Vec::new();
            while head.revision < up_to && rows.len() < ROWS_TOGETHER {
                let committed_at_ms = like.committed_at_ms.max(head.committed_at_ms);
                let revision = Revision {
                    revision: head.revision + 1,
                    committed_at_ms,
                    effective_at_ms: committed_at_ms,
                    ..like.clone()
                };
                head = revision.head(&head, None);
                rows.push((head.revision, committed_at_ms, head.hash));
            }
            let insert =
                sqlx::query(ROWS).bind(json!(rows).to_string()).bind(like.actor.name.clone());
            let insert = insert.bind(like.origin.as_str()).bind(like.reason.clone());
            insert
                .execute(taken.connection())
                .await
                .map_err(StoreError::doing("pass a number over"))?;
        }
        let update = sqlx::query(HEAD)
            .bind(head.revision as i64)
            .bind(head.hash.to_string())
            .bind(head.committed_at_ms);
        update
            .execute(taken.connection())
            .await
            .map_err(StoreError::doing("pass a number over"))?;
        taken.release();
        Ok(passed)
    }
}

/// Short blobs are written with the revision; most of the others are stored already.
async fn write_blobs(connection: &mut SqliteConnection, blobs: &Blobs) -> Result<(), StoreError> {
    let mut waiting = Waiting::default();
    let are_short = blobs.values().all(|text| text.len() <= PART_BYTES);
    if are_short && batch::bytes_of(blobs) <= COMMIT_BLOB_BYTES {
        blobs.iter().for_each(|(id, text)| waiting.push(*id, text.clone()));
    } else {
        let (all, mut bytes) = (blobs.iter().collect::<Vec<_>>(), 0);
        for some in all.chunks(MAX_BLOBS_PER_QUERY) {
            let lacking = batch::lacking(connection, some.iter().copied()).await;
            for (id, text) in lacking.map_err(StoreError::doing("look for definitions"))? {
                bytes += text.len();
                waiting.push(id, text);
            }
            if bytes > COMMIT_BLOB_BYTES {
                return Err(StoreError::NotStaged);
            }
        }
    }
    batch::write(connection, waiting).await.map_err(StoreError::doing("write definitions"))
}

async fn write(connection: &mut SqliteConnection, commit: &Commit<'_>) -> Result<(), sqlx::Error> {
    let Commit { revision, expected_head, request, .. } = commit;
    let number = revision.revision as i64;
    let only = match revision.changes.as_slice() {
        [only] => Some(only),
        many => {
            for some in changes::chunks(many) {
                sqlx::query(CHANGES).bind(number).bind(some).execute(&mut *connection).await?;
            }
            None
        }
    };
    let query =
        sqlx::query(if only.is_some() { CHANGE_AND_REVISION } else { REVISION }).bind(number);
    bind_change(query, only)
        .bind(revision.committed_at_ms)
        .bind(revision.effective_at_ms)
        .bind(revision.actor.name.clone())
        .bind(revision.origin.as_str())
        .bind(revision.reason.clone())
        .bind(revision.idempotency_key.clone())
        .bind(revision.head(expected_head, *request).hash.to_string())
        .bind(request.map(|request| request.to_string()))
        .bind(revision.actor.id.clone())
        .execute(connection)
        .await?;
    Ok(())
}

type Binding<'q> = Query<'q, sqlx::Sqlite, SqliteArguments>;

/// Binds the second to the eighth value.
fn bind_change<'q>(query: Binding<'q>, change: Option<&Change>) -> Binding<'q> {
    query
        .bind(0)
        .bind(change.map(|change| change.subject.kind()))
        .bind(change.map(|change| change.subject.key().to_owned()))
        .bind(change.map(|change| change.action.as_str()))
        .bind(change.and_then(|change| change.action.target_revision()).map(|to| to as i64))
        .bind(change.and_then(|change| change.before.as_ref()).map(Record::json))
        .bind(change.and_then(|change| change.after.as_ref()).map(Record::json))
}

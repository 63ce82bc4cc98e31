//! The head that readers may have seen of each stream, in a file of its own beside the database:
//! a database that is put back from a backup is older than what they were told.
//!
//! It is written after each commit and before the commit is shown, without a sync: it is never ahead
//! of the database, and survives a kill. Without it every stream has a new epoch, so wherever it
//! cannot be written it is removed.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::Mutex;

use super::connection::{Connection, options};
use super::rows::failed;
use crate::feeds::decide::StreamRecord;
use crate::feeds::store::error::EventStoreError;

const ATTACH: &str = "ATTACH DATABASE $1 AS seen";
const TABLES: &str = "PRAGMA seen.journal_mode = WAL; PRAGMA seen.synchronous = NORMAL; \
    CREATE TABLE IF NOT EXISTS seen.database \
    (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), name TEXT NOT NULL, commits INTEGER NOT NULL) STRICT; \
    CREATE TABLE IF NOT EXISTS seen.heads (number INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, head INTEGER NOT NULL, \
    commits INTEGER NOT NULL) STRICT";
/// Whether the database is the one that was seen last, with all its commits.
const IS_SEEN: &str = "SELECT count(*) FROM seen.database AS s, meta WHERE s.name = meta.name \
    AND meta.commits >= max(s.commits, coalesce((SELECT max(commits) FROM seen.heads), 0))";
/// A stream keeps its epoch where it is known that its head did not fall.
const RENEW: &str = "UPDATE streams SET epoch = random() WHERE NOT EXISTS (SELECT 1 FROM seen.heads AS s \
    WHERE s.number = streams.number AND s.epoch = streams.epoch AND s.head <= streams.head)";
const RENAME: &str = "UPDATE meta SET name = $1, commits = commits + 1";
const TAKE_OVER: &str = "BEGIN IMMEDIATE; DELETE FROM seen.heads; DELETE FROM seen.database; \
    INSERT INTO seen.heads SELECT number, epoch, head, 0 FROM streams; \
    INSERT INTO seen.database SELECT 1, name, commits FROM meta; COMMIT";
const NOTE: &str = "INSERT INTO heads (number, epoch, head, commits) \
    SELECT value ->> 0, value ->> 1, value ->> 2, $2 FROM json_each($1) WHERE true \
    ON CONFLICT (number) DO UPDATE SET epoch = excluded.epoch, head = excluded.head, commits = excluded.commits";
/// The newest commit is kept, also where the stream it belonged to goes.
const FORGET: &str =
    "UPDATE database SET commits = max(commits, coalesce((SELECT max(commits) FROM heads), 0))";

/// The record of heads, open.
#[derive(Debug)]
pub struct Heads {
    events: PathBuf,
    path: PathBuf,
    /// `None` where it could not be written and is gone.
    connection: Mutex<Option<Connection>>,
}

impl Heads {
    /// Opens the record beside a database, and gives each stream whose head fell a new epoch; how
    /// many did. `name` is what the database is called from then on.
    pub async fn open(events: &Path, name: u64) -> Result<(Heads, u64), EventStoreError> {
        let path = events.with_file_name("events-heads.db");
        let renewed = match compare(events, &path, name).await {
            Err(error) if !error.passes() => {
                // The record may be what is at fault: without it, no head is known not to have
                // fallen.
                remove(&path)?;
                compare(events, &path, name).await
            }
            other => other,
        }?;
        let connection = Mutex::new(Some(Connection::new(lazily(&path))));
        Ok((Heads { events: events.to_owned(), path, connection }, renewed))
    }

    /// Notes the heads of streams as of a commit.
    pub async fn note<'r>(
        &self,
        commits: i64,
        streams: impl Iterator<Item = &'r StreamRecord>,
    ) -> Result<(), EventStoreError> {
        let row =
            |stream: &StreamRecord| json!([stream.number as i64, stream.epoch as i64, stream.head]);
        let rows = Json::from(streams.map(row).collect::<Vec<_>>()).to_string();
        self.write(async |connection| {
            let query = sqlx::query(NOTE).bind(&rows).bind(commits);
            query.execute(connection).await.map_err(failed).map(drop)
        })
        .await
    }

    /// A stream is gone.
    pub async fn forget(&self, number: u64) -> Result<(), EventStoreError> {
        self.write(async |connection| {
            let mut transaction = connection.begin().await.map_err(failed)?;
            sqlx::query(FORGET).execute(&mut *transaction).await.map_err(failed)?;
            let query = sqlx::query("DELETE FROM heads WHERE number = $1").bind(number as i64);
            query.execute(&mut *transaction).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)
        })
        .await
    }

    async fn write(
        &self,
        write: impl AsyncFnOnce(&mut SqliteConnection) -> Result<(), EventStoreError>,
    ) -> Result<(), EventStoreError> {
        let mut place = self.connection.lock().await;
        let Some(connection) = &*place else {
            // All of it is written anew, from the database; where that fails, with the next one.
            if write_anew(&self.events, &self.path).await.is_ok() {
                *place = Some(Connection::new(lazily(&self.path)));
            }
            return Ok(());
        };
        let written = async {
            let mut taken = connection.take().await?;
            write(taken.get()).await?;
            taken.give_back();
            Ok::<(), EventStoreError>(())
        };
        if written.await.is_err() {
            *place = None;
            remove(&self.path)?;
        }
        Ok(())
    }
}

/// What is never synced by itself: a commit of the database is durable before it is noted here.
fn lazily(path: &Path) -> SqliteConnectOptions {
    options(path).synchronous(SqliteSynchronous::Normal)
}

async fn compare(events: &Path, path: &Path, name: u64) -> Result<u64, EventStoreError> {
    let mut connection = attached(events, path).await?;
    let seen: i64 = sqlx::query_scalar(IS_SEEN).fetch_one(&mut connection).await.map_err(failed)?;
    let mut renewed = 0;
    if seen == 0 {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let done = sqlx::query(RENEW).execute(&mut *transaction).await.map_err(failed)?;
        renewed = done.rows_affected();
        let query = sqlx::query(RENAME).bind(format!("{name:016x}"));
        query.execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        sqlx::raw_sql(TAKE_OVER).execute(&mut connection).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)?;
    Ok(renewed)
}

async fn write_anew(events: &Path, path: &Path) -> Result<(), EventStoreError> {
    let mut connection = attached(events, path).await?;
    sqlx::raw_sql(TAKE_OVER).execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// The database with the record beside it.
async fn attached(events: &Path, path: &Path) -> Result<SqliteConnection, EventStoreError> {
    // Created before SQLite would create it, so that only its owner can read it.
    let mut file = std::fs::OpenOptions::new();
    file.create(true).append(true).mode(0o600).open(path).map_err(io_failed)?;
    let mut connection = options(events).connect().await.map_err(failed)?;
    let query = sqlx::query(ATTACH).bind(path.to_string_lossy().into_owned());
    query.execute(&mut connection).await.map_err(failed)?;
    sqlx::raw_sql(TABLES).execute(&mut connection).await.map_err(failed)?;
    Ok(connection)
}

fn remove(path: &Path) -> Result<(), EventStoreError> {
    crate::store::remove_database(path).map_err(io_failed)
}

fn io_failed(error: io::Error) -> EventStoreError {
    EventStoreError::Other(error.to_string())
}

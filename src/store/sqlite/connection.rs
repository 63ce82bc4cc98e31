//! How each connection to the database is set up, and closed.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::store::error::StoreError;

/// The longest wait of a commit for another program that has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_millis(800);
/// The WAL is cut back to this size in bytes after a large change was copied to the database file.
const WAL_LIMIT_BYTES: &str = "67108864";

pub fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("journal_size_limit", WAL_LIMIT_BYTES)
        .disable_statement_logging()
}

pub async fn connect(options: &SqliteConnectOptions) -> Result<OpenConnection, StoreError> {
    let opened = options.connect().await.map_err(StoreError::doing("open the database file"))?;
    Ok(OpenConnection(Some(opened)))
}

pub async fn connect_reader(options: &SqliteConnectOptions) -> Result<OpenConnection, StoreError> {
    let mut reader = connect(options).await?;
    // SQLite keeps this much of what it read in memory; the system caches the file's pages anyway.
    let sized = sqlx::query("PRAGMA cache_size = -256").execute(&mut *reader).await;
    sized.map_err(StoreError::doing("open the database file"))?;
    Ok(reader)
}

/// A connection that is closed on a thread that may wait for the disk: closing reads and writes the
/// files, and happens wherever it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Option<SqliteConnection>);

impl OpenConnection {
    /// Closes it and waits for it.
    pub async fn close(mut self) -> Result<(), sqlx::Error> {
        let Some(open) = self.0.take() else { return Ok(()) };
        let runtime = Handle::current();
        let closed = spawn_blocking(move || runtime.block_on(open.close())).await;
        closed.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let open = self.0.take();
        if open.is_some()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(open));
        }
    }
}

impl Deref for OpenConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match &self.0 {
            Some(open) => open,
            None => unreachable!("what closes it has it no longer"),
        }
    }
}

impl DerefMut for OpenConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.0 {
            Some(open) => open,
            None => unreachable!("what closes it has it no longer"),
        }
    }
}

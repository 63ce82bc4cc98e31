//! How each connection to the database is set up.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};

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

pub async fn connect_reader(
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, StoreError> {
    let mut reader =
        options.connect().await.map_err(StoreError::doing("open the database file"))?;
    // SQLite keeps this much of what it read in memory; the system caches the file's pages anyway.
    let sized = sqlx::query("PRAGMA cache_size = -256").execute(&mut reader).await;
    sized.map_err(StoreError::doing("open the database file"))?;
    Ok(reader)
}

//! A connection that is taken out for use and put back; one that an error or a time limit leaves in
//! the middle of a transaction is not used again, and the transaction is lost with it.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{Mutex, MutexGuard};

use super::rows::failed;
use crate::feeds::store::error::EventStoreError;

/// The longest wait of a change for another program that has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_millis(800);
/// The WAL is cut back to this size in bytes.
const WAL_LIMIT_BYTES: &str = "16777216";
/// What a connection keeps of the file in memory, in KiB, as SQLite writes it.
const CACHE_KIB: &str = "-1024";

#[derive(Debug)]
pub struct Connection {
    options: SqliteConnectOptions,
    place: Mutex<Option<SqliteConnection>>,
}

/// A connection in use.
pub struct TakenConnection<'c> {
    place: MutexGuard<'c, Option<SqliteConnection>>,
    connection: SqliteConnection,
}

pub fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("journal_size_limit", WAL_LIMIT_BYTES)
        .pragma("cache_size", CACHE_KIB)
        .disable_statement_logging()
}

impl Connection {
    pub fn new(options: SqliteConnectOptions) -> Connection {
        Connection { options, place: Mutex::new(None) }
    }

    pub async fn take(&self) -> Result<TakenConnection<'_>, EventStoreError> {
        let mut place = self.place.lock().await;
        let connection = match place.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(failed)?,
        };
        Ok(TakenConnection { place, connection })
    }
}

impl TakenConnection<'_> {
    pub fn get(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Gives the connection back; no transaction is open.
    pub fn give_back(self) {
        let TakenConnection { mut place, connection } = self;
        *place = Some(connection);
    }
}

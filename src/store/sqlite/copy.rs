//! Copies a database while others read and write it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::store::error::StoreError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

/// The longest wait for another program that has locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes what a database holds at one moment into a new file, which is synced. The database is
/// only read: those who use it go on.
pub async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    const COPY: &str = "VACUUM INTO $1";
    let io =
        |source| StoreError::Database { doing: "make the copy", source: sqlx::Error::Io(source) };
    // SQLite takes a name that begins with `file:` for an address.
    let to = std::path::absolute(to).map_err(io)?;
    let name = to.to_str().ok_or_else(|| io(io::Error::other("its path is not UTF-8")))?;
    // Created before SQLite would create it, so that only its owner can read it.
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(&to).map_err(io)?;
    let options = SqliteConnectOptions::new()
        .filename(from)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let mut connection =
        options.connect().await.map_err(StoreError::doing("open the database file"))?;
    sqlx::query(COPY)
        .bind(name.to_owned())
        .execute(&mut connection)
        .await
        .map_err(StoreError::doing("copy the database"))?;
    connection.close().await.map_err(StoreError::doing("copy the database"))?;
    File::open(&to).and_then(|file| file.sync_all()).map_err(io)
}

//! The tables, and whether a file can be used.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection, Row, SqlSafeStr};

use super::connection::options;
use super::rows::failed;
use crate::feeds::store::error::EventStoreError;
use crate::store::StoreError;

/// The format this build reads and writes.
const FORMAT: i64 = 1;

fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(vec![migration(
        1,
        "events",
        include_str!("../../../../migrations/events/0001_events.sql"),
    )]);
    migrator.set_ignore_missing(true);
    migrator
}

/// Whether there is a file; an empty one is none that was ever used, and is damage.
pub fn is_there(path: &Path) -> Result<bool, EventStoreError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(EventStoreError::Other(error.to_string())),
        Ok(metadata) if !metadata.is_file() => {
            Err(EventStoreError::Damaged("it is not a file".to_owned()))
        }
        Ok(metadata) if metadata.len() == 0 => {
            Err(EventStoreError::Damaged("its file is empty".to_owned()))
        }
        Ok(_) => Ok(true),
    }
}

/// Makes a database beside its path, and puts it there whole.
pub async fn make(path: &Path, name: u64) -> Result<(), EventStoreError> {
    let io = |error: io::Error| EventStoreError::Other(error.to_string());
    let beside = path.with_extension("db.new");
    crate::store::remove_database(&beside).map_err(io)?;
    // Created before SQLite would create it, so that only its owner can read it.
    let mut file = std::fs::OpenOptions::new();
    file.create_new(true).write(true).mode(0o600).open(&beside).map_err(io)?;
    let mut connection = options(&beside).connect().await.map_err(failed)?;
    migrator().run_direct(None, &mut connection, false).await.map_err(migration_failed)?;
    sqlx::query("INSERT INTO meta VALUES (1, $1, 0, $2, $2)")
        .bind(format!("{name:016x}"))
        .bind(FORMAT)
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    crate::store::put_in_place(&beside, path).map_err(io)
}

/// Whether this build may read it.
pub async fn check_format(connection: &mut SqliteConnection) -> Result<(), EventStoreError> {
    const MIN_READER: &str = "SELECT min_reader FROM meta";
    let read = sqlx::query(MIN_READER).fetch_one(connection).await.map_err(failed)?;
    if read.try_get::<i64, _>(0).map_err(failed)? > FORMAT {
        Err(EventStoreError::OfNewerBuild)
    } else {
        Ok(())
    }
}

/// Brings the tables of an existing database up to date.
pub async fn migrate(connection: &mut SqliteConnection) -> Result<(), EventStoreError> {
    check_format(connection).await?;
    migrator().run_direct(None, connection, false).await.map_err(migration_failed)
}

/// Checks the pages that a start depends on. A full check of a large file takes seconds; what is
/// damaged elsewhere shows when it is read.
pub async fn check_pages(connection: &mut SqliteConnection) -> Result<(), EventStoreError> {
    let rows =
        sqlx::query("PRAGMA quick_check(streams)").fetch_all(connection).await.map_err(failed)?;
    let found: Vec<String> =
        rows.iter().filter_map(|row| row.try_get(0).ok()).filter(|line| line != "ok").collect();
    if found.is_empty() { Ok(()) } else { Err(EventStoreError::Damaged(found.join("; "))) }
}

fn migration_failed(error: sqlx::migrate::MigrateError) -> EventStoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => failed(error),
        other => EventStoreError::Damaged(StoreError::Migrate(other).chain()),
    }
}

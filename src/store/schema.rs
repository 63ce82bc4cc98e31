//! The tables of the embedded database, which builds may open it, and whether its SQLite is safe.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Row, SqlSafeStr};

use super::StoreError;

/// The first SQLite whose WAL is safe with several connections.
const SAFE_VERSION: [u32; 3] = [3, 51, 3];
/// The format this build reads and writes (`migrations/sqlite/0004_formats.sql`).
const FORMAT: i64 = 3;

/// The tables, version by version. What a newer build added besides is left alone, as far as `formats` permits.
pub fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(vec![
        migration(1, "truth", include_str!("../../migrations/sqlite/0001_truth.sql")),
        migration(3, "credentials", include_str!("../../migrations/sqlite/0003_credentials.sql")),
        migration(4, "formats", include_str!("../../migrations/sqlite/0004_formats.sql")),
        migration(5, "staged texts", include_str!("../../migrations/sqlite/0005_staged_texts.sql")),
    ]);
    migrator.set_ignore_missing(true);
    migrator
}

/// A database of the builds before has no formats: it is of the first one.
pub async fn check_format(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let read = StoreError::doing("read the format");
    if !has_table(connection, "formats").await? {
        return Ok(());
    }
    let row = sqlx::query("SELECT format, min_reader FROM formats").fetch_one(connection).await.map_err(&read)?;
    let number = |column| row.try_get::<i64, _>(column).map_err(&read);
    let (format, min_reader) = (number("format")?, number("min_reader")?);
    if min_reader > FORMAT { Err(StoreError::OfNewerBuild { format, min_reader }) } else { Ok(()) }
}

pub async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT sqlite_version()").fetch_one(connection).await;
    let version: String = row.map_err(StoreError::doing("ask SQLite for its version"))?.get(0);
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or_default()).collect();
    if parts.as_slice() < SAFE_VERSION.as_slice() { Err(StoreError::OldSqlite(version)) } else { Ok(()) }
}

/// One that is only read may be of a build that had fewer tables.
pub async fn has_table(connection: &mut SqliteConnection, table: &'static str) -> Result<bool, StoreError> {
    let query = sqlx::query("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1").bind(table);
    let row = query.fetch_one(connection).await.map_err(StoreError::doing("read the format"))?;
    Ok(row.get::<i64, _>(0) > 0)
}

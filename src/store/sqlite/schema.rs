//! The tables of the embedded database, which builds may open it, and whether its SQLite is safe to
//! use.

use crate::store::error::StoreError;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, SqlSafeStr};

/// The first SQLite whose WAL is safe with several connections.
const SAFE_VERSION: [u32; 3] = [3, 51, 3];
/// The format this build reads and writes (`migrations/sqlite/0004_formats.sql`).
const FORMAT: i64 = 3;

/// The migrations of the tables. Additions of a newer build are left alone, as far as `formats`
/// permits.
pub fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(vec![
        migration(1, "truth", include_str!("../../../migrations/sqlite/0001_truth.sql")),
        migration(
            3,
            "credentials",
            include_str!("../../../migrations/sqlite/0003_credentials.sql"),
        ),
        migration(4, "formats", include_str!("../../../migrations/sqlite/0004_formats.sql")),
        migration(
            5,
            "staged texts",
            include_str!("../../../migrations/sqlite/0005_staged_texts.sql"),
        ),
    ]);
    migrator.set_ignore_missing(true);
    migrator
}

/// Checks the format. A database of earlier builds has no `formats` table: it has the first format.
pub async fn check_format(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let read = StoreError::doing("read the format");
    if !has_table(connection, "formats").await? {
        return Ok(());
    }
    let row = sqlx::query("SELECT format, min_reader FROM formats")
        .fetch_one(connection)
        .await
        .map_err(&read)?;
    let number = |column| row.try_get::<i64, _>(column).map_err(&read);
    let (format, min_reader) = (number("format")?, number("min_reader")?);
    if min_reader > FORMAT { Err(StoreError::OfNewerBuild { format, min_reader }) } else { Ok(()) }
}

pub async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT sqlite_version()").fetch_one(connection).await;
    let version: String = row.map_err(StoreError::doing("ask SQLite for its version"))?.get(0);
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or_default()).collect();
    if parts.as_slice() < SAFE_VERSION.as_slice() {
        Err(StoreError::OldSqlite(version))
    } else {
        Ok(())
    }
}

/// The trigger that the migrations create.
const OUR_TRIGGER: &str = "named_texts_are_not_staged";

/// Triggers and views that the migrations did not create, or that were altered: they change what is
/// written, or what is read. Which ones a newer format has is not known, so none is reported for
/// it.
pub async fn strangers(connection: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    const ALL: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('trigger', 'view') \
        AND NOT EXISTS (SELECT 1 FROM formats WHERE format > $1) ORDER BY type, name";
    if !has_table(connection, "formats").await? {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(ALL)
        .bind(FORMAT)
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read the tables"))?;
    let body = |sql: &str| {
        sql.split_once(OUR_TRIGGER).map(|(_, body)| body.trim().trim_end_matches(';').to_owned())
    };
    let ours = body(include_str!("../../../migrations/sqlite/0005_staged_texts.sql"));
    let text = |row: &SqliteRow, column| row.try_get::<String, _>(column).unwrap_or_default();
    let is_ours = |row: &&SqliteRow| {
        let made = body(&text(row, "sql")).filter(|made| made.ends_with("END"));
        text(row, "name") == OUR_TRIGGER
            && made.zip(ours.clone()).is_some_and(|(made, ours)| ours.starts_with(&made))
    };
    let named = |row: &SqliteRow| {
        let (kind, name, table) = (text(row, "type"), text(row, "name"), text(row, "tbl_name"));
        format!("the {kind} {name} on {table} was added or altered: no build made it so")
    };
    Ok(rows.iter().filter(|row| !is_ours(row)).map(named).collect())
}

/// A database that is opened for reading only may come from a build with fewer tables.
pub async fn has_table(
    connection: &mut SqliteConnection,
    table: &'static str,
) -> Result<bool, StoreError> {
    let query =
        sqlx::query("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1")
            .bind(table);
    let row = query.fetch_one(connection).await.map_err(StoreError::doing("read the format"))?;
    Ok(row.get::<i64, _>(0) > 0)
}

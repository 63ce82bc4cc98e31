//! The credentials of older builds, which had a table of their own.

use sqlx::sqlite::SqliteConnection;

use super::rows;
use super::writer::Writer;
use crate::ledger::Credential;
use crate::store::error::StoreError;

/// The credentials that are still to be converted from the table of older builds.
pub async fn read(
    connection: &mut SqliteConnection,
) -> Result<Option<Vec<Credential>>, StoreError> {
    const TO_DO: &str = "SELECT reader FROM cursors WHERE reader = 'tokens'";
    let to_do = sqlx::query(TO_DO).fetch_optional(&mut *connection).await;
    if to_do.map_err(StoreError::doing("read the credentials"))?.is_none() {
        return Ok(None);
    }
    let rows =
        sqlx::query("SELECT * FROM tokens ORDER BY created_at_ms, id").fetch_all(connection).await;
    let rows = rows.map_err(StoreError::doing("read the credentials"))?;
    // A row that cannot be read is a credential that is not accepted.
    Ok(Some(rows.iter().filter_map(|row| rows::old_token(row).ok()).collect()))
}

/// Removes them, and notes that they were brought over.
pub async fn forget(writer: &Writer) -> Result<(), StoreError> {
    const FORGET: &str =
        "BEGIN IMMEDIATE; DELETE FROM tokens; DELETE FROM cursors WHERE reader = 'tokens'; COMMIT";
    let mut taken = writer.take().await?;
    sqlx::raw_sql(FORGET)
        .execute(taken.connection())
        .await
        .map_err(StoreError::doing("bring credentials over"))?;
    taken.release();
    Ok(())
}

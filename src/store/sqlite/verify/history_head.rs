//! Up to where a verification reads.

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row};

use super::super::chain::{number, text};
use super::super::reader::Reader;
use super::faults::Faults;
use crate::store::error::StoreError;
use crate::store::messages::MAX_FAULTS;

/// The end of the history when a verification began.
pub struct HistoryHead {
    /// Its newest revision.
    pub revision: i64,
    /// The rows of `head` at that moment.
    pub heads: Vec<SqliteRow>,
}

impl HistoryHead {
    /// Anything beyond the newest revision belongs to none, and is reported.
    pub async fn now(reader: &Reader, faults: &mut Faults) -> Result<HistoryHead, StoreError> {
        const BEYOND: &str = "SELECT revision, subject FROM changes WHERE revision > $1 ORDER BY revision, place LIMIT $2";
        let read = StoreError::doing("read the history");
        let mut reader = reader.lock().await;
        let mut reading = reader.begin().await.map_err(&read)?;
        let heads =
            sqlx::query("SELECT * FROM head").fetch_all(&mut *reading).await.map_err(&read)?;
        let newest = sqlx::query("SELECT coalesce(max(revision), 0) FROM revisions")
            .fetch_one(&mut *reading)
            .await;
        let revision: i64 = newest.map_err(&read)?.get(0);
        let beyond = sqlx::query(BEYOND)
            .bind(revision)
            .bind(MAX_FAULTS as i64)
            .fetch_all(&mut *reading)
            .await;
        for row in &beyond.map_err(&read)? {
            faults.add_stray_change(
                number(row, "revision").unwrap_or_default(),
                &text(row, "subject").unwrap_or_default(),
            );
        }
        Ok(HistoryHead { revision, heads })
    }
}

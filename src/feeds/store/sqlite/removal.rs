//! What retention removes, a bounded number of rows in each transaction, so that publishes can come in
//! between. Where nothing is to be removed, nothing is written.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::changes::{BEGIN, COMMIT};
use super::connection::TakenConnection;
use super::database::Sqlite;
use super::rows::failed;
use crate::feeds::name::StreamKey;
use crate::feeds::retention::{forget_before_ms, remove_up_to};
use crate::feeds::store::error::EventStoreError;
use crate::feeds::store::records::{Removed, Sweep};

/// Rows that one step removes at most.
const ROWS: i64 = 500;

/// Kept events, or removed ones with remembered ids, behind a position.
const FIRST: &str = "SELECT position, at_ms, octet_length(id) + octet_length(type), coalesce(octet_length(data), 0) FROM events \
    WHERE number = $1 AND position > $2 ORDER BY position LIMIT $3";

struct RowSummary {
    position: u64,
    at_ms: i64,
    name_bytes: u64,
    data_bytes: u64,
}

impl Sqlite {
    pub async fn remove_old(
        &self,
        key: &StreamKey,
        sweep: Sweep,
    ) -> Result<Option<Removed>, EventStoreError> {
        let (mut found, transaction) = self.hold(&[key]).await?;
        let mut taken = transaction.into_taken();
        let connection = taken.get();
        let Some(mut record) = found.remove(key) else {
            return removed_nothing(taken).await;
        };
        let kept = first_rows(connection, record.number, record.kept_after).await?;
        let places = kept.iter().map(|row| (row.position, row.at_ms));
        let up_to =
            remove_up_to(record.kept_after, record.head, places, sweep.in_force, sweep.now_ms);
        let goes = kept.iter().take_while(|row| row.position <= up_to);
        let mut released: u64 = goes.map(|row| row.data_bytes).sum();
        let events = up_to - record.kept_after;
        let before_ms = forget_before_ms(sweep.now_ms);
        let old = first_rows(connection, record.number, record.forgotten_after).await?;
        let forgotten = old.iter().take_while(|row| row.position <= up_to && row.at_ms < before_ms);
        let (mut forget_to, mut count) = (record.forgotten_after, 0);
        for row in forgotten {
            forget_to = row.position;
            released += row.name_bytes + crate::feeds::limits::EVENT_BYTES;
            count += 1;
        }
        if events == 0 && count == 0 {
            return removed_nothing(taken).await;
        }
        let more = events.max(count) >= ROWS as u64;
        const EMPTY: &str =
            "UPDATE events SET data = NULL WHERE number = $1 AND position > $2 AND position <= $3";
        sqlx::query(EMPTY)
            .bind(record.number as i64)
            .bind(record.kept_after as i64)
            .bind(up_to as i64)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        if events > 0 {
            record.kept_after = up_to;
            let oldest = first_rows(connection, record.number, up_to).await?;
            record.oldest_at_ms = oldest.first().map(|row| row.at_ms);
        }
        const FORGET: &str =
            "DELETE FROM events WHERE number = $1 AND position > $2 AND position <= $3";
        sqlx::query(FORGET)
            .bind(record.number as i64)
            .bind(record.forgotten_after as i64)
            .bind(forget_to as i64)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        record.forgotten_after = forget_to;
        record.bytes = record.bytes.saturating_sub(released);
        const RECORD: &str = "UPDATE streams SET kept_after = $2, forgotten_after = $3, oldest_at_ms = $4, bytes = $5 WHERE number = $1";
        sqlx::query(RECORD)
            .bind(record.number as i64)
            .bind(record.kept_after as i64)
            .bind(record.forgotten_after as i64)
            .bind(record.oldest_at_ms)
            .bind(record.bytes as i64)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        sqlx::raw_sql(COMMIT).execute(connection).await.map_err(failed)?;
        taken.give_back();
        self.check_files()?;
        Ok(Some(Removed { record, released, more }))
    }

    pub async fn clear_doomed(&self) -> Result<Option<u64>, EventStoreError> {
        const NEXT: &str = "SELECT number, bytes FROM doomed LIMIT 1";
        const CLEAR: &str = "DELETE FROM events WHERE number = $1 AND position IN \
            (SELECT position FROM events WHERE number = $1 ORDER BY position LIMIT $2)";
        const DONE: &str = "DELETE FROM doomed WHERE number = $1";
        self.check_files()?;
        let mut taken = self.writer.take().await?;
        let connection = taken.get();
        let next = sqlx::query(NEXT).fetch_optional(&mut *connection).await.map_err(failed)?;
        let Some(next) = next else {
            taken.give_back();
            return Ok(None);
        };
        let number: i64 = next.try_get(0).map_err(failed)?;
        let bytes: i64 = next.try_get(1).map_err(failed)?;
        sqlx::raw_sql(BEGIN).execute(&mut *connection).await.map_err(failed)?;
        let cleared = sqlx::query(CLEAR)
            .bind(number)
            .bind(ROWS)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        let is_done = cleared.rows_affected() < ROWS as u64;
        if is_done {
            sqlx::query(DONE).bind(number).execute(&mut *connection).await.map_err(failed)?;
        }
        sqlx::raw_sql(COMMIT).execute(connection).await.map_err(failed)?;
        taken.give_back();
        Ok(Some(if is_done { bytes as u64 } else { 0 }))
    }
}

/// Ends a transaction that has nothing to remove, without a sync.
async fn removed_nothing(
    mut taken: TakenConnection<'_>,
) -> Result<Option<Removed>, EventStoreError> {
    sqlx::raw_sql("ROLLBACK").execute(taken.get()).await.map_err(failed)?;
    taken.give_back();
    Ok(None)
}

async fn first_rows(
    connection: &mut SqliteConnection,
    number: u64,
    after: u64,
) -> Result<Vec<RowSummary>, EventStoreError> {
    let query = sqlx::query(FIRST).bind(number as i64).bind(after as i64).bind(ROWS);
    let rows = query.fetch_all(connection).await.map_err(failed)?;
    let summary = |row: &sqlx::sqlite::SqliteRow| {
        let number = |index: usize| row.try_get::<i64, _>(index).map_err(failed);
        Ok(RowSummary {
            position: number(0)? as u64,
            at_ms: number(1)?,
            name_bytes: number(2)? as u64,
            data_bytes: number(3)? as u64,
        })
    };
    rows.iter().map(summary).collect()
}

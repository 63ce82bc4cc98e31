//! What is read.

use sqlx::Row;

use super::database::Sqlite;
use super::rows::{self, failed, stream_columns};
use crate::feeds::decide::{StoredEvent, StreamRecord};
use crate::feeds::limits::MAX_PAGE_BYTES;
use crate::feeds::name::StreamKey;
use crate::feeds::store::error::EventStoreError;
use crate::feeds::store::records::Sweep;
use crate::flag::FlagKey;

/// Streams that one look for due ones finds.
const DUE: i64 = 64;

/// Goes from event to event, as positions have no gaps: it ends with the first event beyond the
/// bytes or the number, and reads none behind that.
const PAGE: &str = "WITH RECURSIVE page (position, id, type, at_ms, data, bytes, count) AS (\
    SELECT position, id, type, at_ms, data, octet_length(data), 1 FROM events \
    WHERE number = $1 AND position = $2 + 1 AND data IS NOT NULL \
    UNION ALL \
    SELECT e.position, e.id, e.type, e.at_ms, e.data, page.bytes + octet_length(e.data), page.count + 1 \
    FROM page CROSS JOIN events AS e ON e.number = $1 AND e.position = page.position + 1 \
    WHERE page.count < $3 AND page.bytes <= $4 AND e.data IS NOT NULL) \
    SELECT position, id, type, at_ms, data FROM page";

impl Sqlite {
    pub async fn stream(&self, key: &StreamKey) -> Result<Option<StreamRecord>, EventStoreError> {
        const ONE: &str = concat!(
            "SELECT ",
            stream_columns!(),
            " FROM streams AS s WHERE flag = $1 AND stream = $2"
        );
        let mut taken = self.read_connection().await?;
        let query = sqlx::query(ONE).bind(key.flag().to_string()).bind(key.stream().to_owned());
        let row = query.fetch_optional(taken.get()).await.map_err(failed)?;
        taken.give_back();
        Ok(row.map(|row| rows::stream(&row)).transpose()?.map(|(_, record)| record))
    }

    pub async fn read(
        &self,
        number: u64,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, EventStoreError> {
        let mut taken = self.read_connection().await?;
        let query = sqlx::query(PAGE)
            .bind(number as i64)
            .bind(after as i64)
            .bind(i64::from(limit))
            .bind(MAX_PAGE_BYTES as i64);
        let rows = query.fetch_all(taken.get()).await.map_err(failed)?;
        taken.give_back();
        rows.iter().map(rows::event).collect()
    }

    pub async fn list(
        &self,
        flag: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(StreamKey, StreamRecord)>, EventStoreError> {
        const LIST: &str = concat!(
            "SELECT ",
            stream_columns!(),
            " FROM streams AS s WHERE flag = $1 AND stream > $2 ORDER BY stream LIMIT $3"
        );
        let mut taken = self.read_connection().await?;
        let query =
            sqlx::query(LIST).bind(flag.to_owned()).bind(after.to_owned()).bind(i64::from(limit));
        let rows = query.fetch_all(taken.get()).await.map_err(failed)?;
        taken.give_back();
        rows.iter().map(rows::stream).collect()
    }

    pub async fn due(
        &self,
        flag: &FlagKey,
        sweep: Sweep,
    ) -> Result<(Vec<StreamKey>, Vec<(StreamKey, u64)>), EventStoreError> {
        // The oldest first.
        const OLD: &str = "SELECT flag, stream, number FROM streams WHERE flag = $1 AND oldest_at_ms < $2 \
            ORDER BY oldest_at_ms LIMIT $3";
        // Any of them: the same few, which grow all the time, would hide the others.
        const MANY: &str = "SELECT flag, stream, number FROM streams WHERE flag = $1 AND (head - kept_after) > $2 \
            ORDER BY random() LIMIT $3";
        const OVER: &str = "SELECT flag, stream, number FROM streams WHERE flag = $1 AND ended = 1 AND oldest_at_ms IS NULL \
            AND changed_at_ms < $2 AND forgotten_after = kept_after LIMIT $3";
        let too_old_ms = sweep.too_old_ms();
        let keep = i64::try_from(sweep.in_force.keep).unwrap_or(i64::MAX);
        let mut taken = self.sweep_connection().await?;
        let mut found = [Vec::new(), Vec::new(), Vec::new()];
        for ((query, bound), streams) in
            [(OLD, too_old_ms), (MANY, keep), (OVER, too_old_ms)].into_iter().zip(&mut found)
        {
            let query = sqlx::query(query).bind(flag.to_string()).bind(bound).bind(DUE);
            let rows = query.fetch_all(taken.get()).await.map_err(failed)?;
            let stream = |row: &sqlx::sqlite::SqliteRow| {
                let key = StreamKey::parse(row.try_get(0).ok()?, row.try_get(1).ok()?)?;
                Some((key, row.try_get::<i64, _>(2).ok()? as u64))
            };
            streams.extend(rows.iter().filter_map(stream));
        }
        taken.give_back();
        let [old, many, over] = found;
        let mut due: Vec<StreamKey> = old.into_iter().chain(many).map(|(key, _)| key).collect();
        due.sort_unstable();
        due.dedup();
        Ok((due, over))
    }

    #[cfg(test)]
    pub async fn commits(&self) -> Result<i64, EventStoreError> {
        let mut taken = self.sweep_connection().await?;
        let commits = sqlx::query_scalar("SELECT commits FROM meta").fetch_one(taken.get()).await;
        taken.give_back();
        commits.map_err(failed)
    }

    pub async fn with_old_ids(
        &self,
        after: Option<u64>,
    ) -> Result<Vec<(u64, StreamKey)>, EventStoreError> {
        const OLD_IDS: &str = "SELECT number, flag, stream FROM streams WHERE forgotten_after < kept_after \
            AND number > $1 ORDER BY number LIMIT $2";
        let mut taken = self.sweep_connection().await?;
        let after = after.map_or(i64::MIN, |after| after as i64);
        let query = sqlx::query(OLD_IDS).bind(after).bind(DUE);
        let rows = query.fetch_all(taken.get()).await.map_err(failed)?;
        taken.give_back();
        let key = |row: &sqlx::sqlite::SqliteRow| {
            let key = StreamKey::parse(row.try_get(1).ok()?, row.try_get(2).ok()?)?;
            Some((row.try_get::<i64, _>(0).ok()? as u64, key))
        };
        Ok(rows.iter().filter_map(key).collect())
    }
}

//! What a batch of publishes changes, in one transaction and one sync.

use std::collections::HashMap;

use serde_json::{Value as Json, json};
use sqlx::Row;

use super::connection::TakenConnection;
use super::database::Sqlite;
use super::rows::{self, failed, stream_columns};
use crate::feeds::decide::{BatchChange, KnownIds, StoredEvent, StreamRecord};
use crate::feeds::fingerprint::Fingerprint;
use crate::feeds::name::StreamKey;
use crate::feeds::retention::{Bound, RetentionRecord};
use crate::feeds::store::error::EventStoreError;
use crate::flag::FlagKey;

/// An open transaction; dropped, it is lost with its connection.
pub struct Transaction<'s> {
    taken: TakenConnection<'s>,
}

/// Begins for writing at once: a transaction that reads first and writes later fails when another
/// wrote in between.
pub const BEGIN: &str = "BEGIN IMMEDIATE";
pub const COMMIT: &str = "UPDATE meta SET commits = commits + 1; COMMIT";
const COUNT: &str = "UPDATE meta SET commits = commits + 1 RETURNING commits";

const HOLD: &str = concat!(
    "SELECT ",
    stream_columns!(),
    " FROM json_each($1) AS j CROSS JOIN streams AS s ON s.flag = j.value ->> 0 AND s.stream = j.value ->> 1"
);
const KNOWN: &str = "SELECT e.number, e.id, e.fingerprint FROM json_each($1) AS j CROSS JOIN events AS e \
    ON e.number = j.value ->> 0 AND e.id = j.value ->> 1";
const STREAMS: &str = "INSERT INTO streams (number, flag, stream, epoch, head, kept_after, forgotten_after, oldest_at_ms, \
    changed_at_ms, bytes, ended, readers) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, \
    value ->> 9, value ->> 10, value ->> 11 FROM json_each($1) WHERE true \
    ON CONFLICT (number) DO UPDATE SET epoch = excluded.epoch, head = excluded.head, kept_after = excluded.kept_after, \
    forgotten_after = excluded.forgotten_after, oldest_at_ms = excluded.oldest_at_ms, changed_at_ms = excluded.changed_at_ms, \
    bytes = excluded.bytes, ended = excluded.ended, readers = excluded.readers";
const EVENTS: &str = "INSERT INTO events (number, position, id, type, at_ms, fingerprint, data) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, unhex(value ->> 5), value ->> 6 FROM json_each($1)";

impl Sqlite {
    pub async fn hold(
        &self,
        keys: &[&StreamKey],
    ) -> Result<(HashMap<StreamKey, StreamRecord>, Transaction<'_>), EventStoreError> {
        self.check_files()?;
        let mut taken = self.writer.take().await?;
        if let Err(error) = sqlx::raw_sql(BEGIN).execute(taken.get()).await.map_err(failed) {
            // Nothing began: the connection is as good as before.
            if error == EventStoreError::Locked {
                taken.give_back();
            }
            return Err(error);
        }
        let keys: Vec<Json> =
            keys.iter().map(|key| json!([key.flag().as_str(), key.stream()])).collect();
        let query = sqlx::query(HOLD).bind(Json::from(keys).to_string());
        let found = query.fetch_all(taken.get()).await.map_err(failed)?;
        let streams = found.iter().map(rows::stream).collect::<Result<_, _>>()?;
        Ok((streams, Transaction { taken }))
    }

    pub async fn commit(
        &self,
        transaction: Transaction<'_>,
        change: &BatchChange,
    ) -> Result<(), EventStoreError> {
        let Transaction { mut taken } = transaction;
        let connection = taken.get();
        let streams: Vec<Json> = change.streams.iter().map(stream_row).collect();
        sqlx::query(STREAMS)
            .bind(Json::from(streams).to_string())
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        let row = |(key, stored): &(StreamKey, StoredEvent)| {
            Some(event_row(change.streams.get(key)?.number, stored))
        };
        let events: Vec<Json> = change.events.iter().filter_map(row).collect();
        if !events.is_empty() {
            sqlx::query(EVENTS)
                .bind(Json::from(events).to_string())
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
        }
        let commits = sqlx::query(COUNT).fetch_one(&mut *connection).await.map_err(failed)?;
        let commits = commits.try_get(0).map_err(failed)?;
        sqlx::raw_sql("COMMIT").execute(connection).await.map_err(failed)?;
        taken.give_back();
        // A file that was unlinked meanwhile took the commit with it.
        self.check_files()?;
        self.heads.note(commits, change.streams.values()).await
    }

    /// Removes a stream that is such a one at this moment.
    pub async fn delete(
        &self,
        key: &StreamKey,
        is_such: impl Fn(&StreamRecord) -> bool,
    ) -> Result<Option<StreamRecord>, EventStoreError> {
        let (mut found, Transaction { mut taken }) = self.hold(&[key]).await?;
        let Some(record) = found.remove(key).filter(is_such) else {
            sqlx::raw_sql("ROLLBACK").execute(taken.get()).await.map_err(failed)?;
            taken.give_back();
            return Ok(None);
        };
        const DELETE: &str = "INSERT INTO doomed (number, bytes) SELECT number, bytes FROM streams WHERE number = $1; \
            DELETE FROM streams WHERE number = $1; ";
        let query = sqlx::query(DELETE).bind(record.number as i64);
        query.execute(taken.get()).await.map_err(failed)?;
        sqlx::raw_sql(COMMIT).execute(taken.get()).await.map_err(failed)?;
        taken.give_back();
        self.check_files()?;
        self.heads.forget(record.number).await?;
        Ok(Some(record))
    }

    pub async fn try_writing(&self) -> Result<(), EventStoreError> {
        let (_, Transaction { mut taken }) = self.hold(&[]).await?;
        sqlx::raw_sql(COMMIT).execute(taken.get()).await.map_err(failed)?;
        taken.give_back();
        self.check_files()
    }

    pub async fn set_retention(
        &self,
        flag: &FlagKey,
        record: RetentionRecord,
    ) -> Result<(), EventStoreError> {
        const SET: &str = "INSERT INTO retentions (flag, retain_ms, retain_lowered_to_ms, retain_lowered_at_ms, keep, \
            keep_lowered_to, keep_lowered_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) \
            ON CONFLICT (flag) DO UPDATE SET retain_ms = $2, retain_lowered_to_ms = $3, retain_lowered_at_ms = $4, keep = $5, \
            keep_lowered_to = $6, keep_lowered_at_ms = $7";
        self.check_files()?;
        let mut taken = self.writer.take().await?;
        let mut query = sqlx::query(SET).bind(flag.to_string());
        for Bound { in_force, lowered } in [record.retain_ms, record.keep] {
            query = query
                .bind(in_force as i64)
                .bind(lowered.map(|(to, _)| to as i64))
                .bind(lowered.map(|(_, since_ms)| since_ms));
        }
        query.execute(taken.get()).await.map_err(failed)?;
        taken.give_back();
        Ok(())
    }
}

impl<'s> Transaction<'s> {
    pub async fn release(self) -> Result<(), EventStoreError> {
        let Transaction { mut taken } = self;
        sqlx::raw_sql("ROLLBACK").execute(taken.get()).await.map_err(failed)?;
        taken.give_back();
        Ok(())
    }

    /// Its connection, which the caller commits and puts back.
    pub fn into_taken(self) -> TakenConnection<'s> {
        self.taken
    }

    pub async fn known_ids(&mut self, ids: &[(u64, &str)]) -> Result<KnownIds, EventStoreError> {
        let ids: Vec<Json> = ids.iter().map(|(number, id)| json!([*number as i64, id])).collect();
        let mut known = KnownIds::new();
        if ids.is_empty() {
            return Ok(known);
        }
        let query = sqlx::query(KNOWN).bind(Json::from(ids).to_string());
        for row in query.fetch_all(self.taken.get()).await.map_err(failed)? {
            let number = row.try_get::<i64, _>(0).map_err(failed)? as u64;
            let id: &str = row.try_get(1).map_err(failed)?;
            let fingerprint: &[u8] = row.try_get(2).map_err(failed)?;
            let fingerprint = Fingerprint::try_from(fingerprint)
                .map_err(|_| EventStoreError::Damaged("an event's row does not read".to_owned()))?;
            known.entry(number).or_default().insert(id.into(), fingerprint);
        }
        Ok(known)
    }
}

fn stream_row((key, record): (&StreamKey, &StreamRecord)) -> Json {
    json!([
        record.number as i64,
        key.flag().as_str(),
        key.stream(),
        record.epoch as i64,
        record.head,
        record.kept_after,
        record.forgotten_after,
        record.oldest_at_ms,
        record.changed_at_ms,
        record.bytes,
        u8::from(record.ended),
        record.readers.to_json().to_string(),
    ])
}

fn event_row(number: u64, stored: &StoredEvent) -> Json {
    let StoredEvent { position, at_ms, event } = stored;
    let hex: String = event.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    json!([number as i64, position, *event.id, *event.kind, at_ms, hex, *event.data])
}

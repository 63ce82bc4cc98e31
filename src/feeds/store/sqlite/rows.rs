//! From rows to records, and from SQLite's errors to ours.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::feeds::decide::{StoredEvent, StreamRecord};
use crate::feeds::fingerprint::Fingerprint;
use crate::feeds::name::StreamKey;
use crate::feeds::publish::NewEvent;
use crate::feeds::readers::Readers;
use crate::feeds::store::error::EventStoreError;
use crate::store::StoreError;

/// An error of a query.
pub fn failed(error: sqlx::Error) -> EventStoreError {
    let error = StoreError::Database { doing: "use the database of events", source: error };
    if error.is_full() {
        EventStoreError::Full
    } else if error.is_busy() {
        EventStoreError::Locked
    } else if error.is_damage() {
        EventStoreError::Damaged(error.chain())
    } else {
        EventStoreError::Other(error.chain())
    }
}

/// The columns of a stream in the order in which [`stream`] reads them.
macro_rules! stream_columns {
    () => {
        "s.number, s.epoch, s.head, s.kept_after, s.forgotten_after, s.oldest_at_ms, s.changed_at_ms, s.bytes, s.ended, s.readers, \
         s.flag, s.stream"
    };
}
pub(super) use stream_columns;

pub fn stream(row: &SqliteRow) -> Result<(StreamKey, StreamRecord), EventStoreError> {
    let number = |index: usize| row.try_get::<i64, _>(index).map(|number| number as u64);
    let text = |index: usize| row.try_get::<&str, _>(index).map_err(failed);
    let damaged = || EventStoreError::Damaged("the row of a stream does not read".to_owned());
    let readers = serde_json::from_str(text(9)?).ok();
    let readers = readers.and_then(|json| Readers::read(&json).ok()).ok_or_else(damaged)?;
    let key = StreamKey::parse(text(10)?, text(11)?).ok_or_else(damaged)?;
    let record = StreamRecord {
        number: number(0).map_err(failed)?,
        epoch: number(1).map_err(failed)?,
        head: number(2).map_err(failed)?,
        kept_after: number(3).map_err(failed)?,
        forgotten_after: number(4).map_err(failed)?,
        oldest_at_ms: row.try_get(5).map_err(failed)?,
        changed_at_ms: row.try_get(6).map_err(failed)?,
        bytes: number(7).map_err(failed)?,
        ended: number(8).map_err(failed)? != 0,
        readers,
    };
    Ok((key, record))
}

/// An event as `position, id, type, at_ms, data`.
pub fn event(row: &SqliteRow) -> Result<StoredEvent, EventStoreError> {
    let text = |index: usize| row.try_get::<&str, _>(index).map(Box::from).map_err(failed);
    Ok(StoredEvent {
        position: row.try_get::<i64, _>(0).map_err(failed)? as u64,
        at_ms: row.try_get(3).map_err(failed)?,
        event: NewEvent {
            id: text(1)?,
            kind: text(2)?,
            data: text(4)?,
            // Only needed to compare what is published.
            fingerprint: Fingerprint::default(),
        },
    })
}

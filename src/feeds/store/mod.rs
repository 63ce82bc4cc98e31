//! Where streams and events lie: one enum over the supported databases, each in a folder of its own.
//!
//! The face knows no database's words. A call may take as long as the database needs: the caller
//! sets the time limit. Nothing is visible to a reader before it is durable.

mod error;
mod records;
mod sqlite;
#[cfg(test)]
mod suite;

use std::collections::HashMap;
use std::path::Path;

pub use error::EventStoreError;
pub use records::{EventTotals, Opened, Removed, Sweep};

use super::decide::{BatchChange, KnownIds, StoredEvent, StreamRecord};
use super::name::StreamKey;
use super::retention::RetentionRecord;
use super::shares::KeptBytes;
use crate::flag::FlagKey;

/// An open database of events.
#[derive(Debug)]
pub enum EventStore {
    Sqlite(sqlite::Sqlite),
}

/// Streams that are held for one change, which [`EventStore::commit`] makes; dropped, it changes
/// nothing.
pub struct Held<'s> {
    pub streams: HashMap<StreamKey, StreamRecord>,
    inner: sqlite::Transaction<'s>,
}

/// Checks that a copy of a database, which is not open, lacks nothing.
pub async fn check_copy(path: &Path) -> Result<EventTotals, EventStoreError> {
    sqlite::check_copy(path).await
}

impl EventStore {
    /// Opens the database of a data folder, and makes it if there is none. `random` names what is
    /// made.
    pub async fn open(
        path: &Path,
        random: &mut (dyn FnMut() -> u64 + Send),
    ) -> Result<(EventStore, Opened), EventStoreError> {
        let (store, opened) = sqlite::Sqlite::open(path, random).await?;
        Ok((EventStore::Sqlite(store), opened))
    }

    /// Opens the database again while the service runs. A file that is gone is not made anew: put
    /// back, it would lack what was acknowledged meanwhile.
    pub async fn reopen(
        path: &Path,
        random: &mut (dyn FnMut() -> u64 + Send),
    ) -> Result<(EventStore, Opened), EventStoreError> {
        if !sqlite::is_there(path)? {
            return Err(EventStoreError::Gone);
        }
        EventStore::open(path, random).await
    }

    /// Holds streams for a change: no other change comes between.
    pub async fn hold(&self, keys: &[&StreamKey]) -> Result<Held<'_>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        let (streams, inner) = sqlite.hold(keys).await?;
        Ok(Held { streams, inner })
    }

    /// Which of these ids the held streams remember.
    pub async fn known_ids(
        &self,
        held: &mut Held<'_>,
        ids: &[(&StreamKey, &str)],
    ) -> Result<KnownIds, EventStoreError> {
        let Held { streams, inner } = held;
        let numbered = ids.iter().filter_map(|(key, id)| Some((streams.get(key)?.number, *id)));
        let numbered: Vec<(u64, &str)> = numbered.collect();
        inner.known_ids(&numbered).await
    }

    /// Makes a change durable. After an error it is not known whether it is: the database has to be
    /// opened anew.
    pub async fn commit(
        &self,
        held: Held<'_>,
        change: &BatchChange,
    ) -> Result<(), EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.commit(held.inner, change).await
    }

    /// Lets streams go without a change.
    pub async fn release(&self, held: Held<'_>) -> Result<(), EventStoreError> {
        held.inner.release().await
    }

    /// What is kept, as it is recorded.
    pub async fn kept(&self) -> Result<KeptBytes, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.kept().await
    }

    /// Whether a change can be made durable just now.
    pub async fn try_writing(&self) -> Result<(), EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.try_writing().await
    }

    pub async fn stream(&self, key: &StreamKey) -> Result<Option<StreamRecord>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.stream(key).await
    }

    /// The events behind a position, by one query: up to a number, and the first beyond a page's
    /// bytes.
    pub async fn read(
        &self,
        number: u64,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.read(number, after, limit).await
    }

    /// The streams of a flag behind a name, in the order of their names.
    pub async fn list(
        &self,
        flag: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(StreamKey, StreamRecord)>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.list(flag, after, limit).await
    }

    /// Removes a stream; its events are cleared away later. `None` if there was none.
    pub async fn delete(&self, key: &StreamKey) -> Result<Option<StreamRecord>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.delete(key, |_| true).await
    }

    /// Removes a stream that [`EventStore::due`] found to be over, if it still is: its name may
    /// belong to another stream by now. `None` if it is not.
    pub async fn delete_over(
        &self,
        key: &StreamKey,
        number: u64,
        sweep: Sweep,
    ) -> Result<Option<StreamRecord>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        let is_over = |record: &StreamRecord| record.number == number && sweep.finds_over(record);
        sqlite.delete(key, is_over).await
    }

    /// Clears away some events of deleted streams, and returns the bytes this gave back; `None` if
    /// nothing is left.
    pub async fn clear_doomed(&self) -> Result<Option<u64>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.clear_doomed().await
    }

    pub async fn set_retention(
        &self,
        flag: &FlagKey,
        record: RetentionRecord,
    ) -> Result<(), EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.set_retention(flag, record).await
    }

    /// Some streams of a flag with events to remove, and some that ended and are over, with their
    /// numbers.
    pub async fn due(
        &self,
        flag: &FlagKey,
        sweep: Sweep,
    ) -> Result<(Vec<StreamKey>, Vec<(StreamKey, u64)>), EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.due(flag, sweep).await
    }

    /// Some streams that remember ids of removed events, behind a number.
    pub async fn with_old_ids(
        &self,
        after: Option<u64>,
    ) -> Result<Vec<(u64, StreamKey)>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.with_old_ids(after).await
    }

    /// Removes what is due of a stream, a bounded number of events at a time; `None` if nothing was,
    /// which costs no sync.
    pub async fn remove_old(
        &self,
        key: &StreamKey,
        sweep: Sweep,
    ) -> Result<Option<Removed>, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.remove_old(key, sweep).await
    }

    /// Whether the database is still there and answers.
    pub async fn check(&self) -> Result<(), EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.check().await
    }

    /// How many queries of polls and lists were made so far.
    pub fn queries(&self) -> u64 {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.queries()
    }

    /// How many changes were made durable so far.
    #[cfg(test)]
    pub async fn commits(&self) -> Result<i64, EventStoreError> {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.commits().await
    }

    pub async fn close(&self) {
        let EventStore::Sqlite(sqlite) = self;
        sqlite.close().await;
    }
}

//! The open database: its file and its two connections.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::connection::{Connection, TakenConnection, options};
use super::heads::Heads;
use super::{schema, totals};
use crate::feeds::shares::KeptBytes;
use crate::feeds::store::error::EventStoreError;
use crate::feeds::store::records::Opened;
use crate::store::DatabaseFiles;

#[derive(Debug)]
pub struct Sqlite {
    files: DatabaseFiles,
    pub(super) writer: Connection,
    reader: Connection,
    pub(super) heads: Heads,
    queries: AtomicU64,
}

impl Sqlite {
    pub async fn open(
        path: &Path,
        random: &mut (dyn FnMut() -> u64 + Send),
    ) -> Result<(Sqlite, Opened), EventStoreError> {
        if !schema::is_there(path)? {
            schema::make(path, random()).await?;
        }
        let writer = Connection::new(options(path));
        let reader = Connection::new(options(path));
        let mut opened = writer.take().await?;
        schema::migrate(opened.get()).await?;
        schema::check_pages(opened.get()).await?;
        // A lack of space keeps nothing from being read.
        let (heads, renewed) = Heads::open(path, random()).await?;
        let totals = Opened { renewed, ..totals::totals(opened.get()).await? };
        opened.give_back();
        // The reader is opened now: a lack of files or rights shows at once.
        reader.take().await?.give_back();
        let files = DatabaseFiles::of_open(path)
            .map_err(|error| EventStoreError::Other(error.to_string()))?;
        Ok((Sqlite { files, writer, reader, heads, queries: AtomicU64::new(0) }, totals))
    }

    pub async fn check(&self) -> Result<(), EventStoreError> {
        self.check_files()?;
        let mut taken = self.reader.take().await?;
        totals::touch(taken.get()).await?;
        taken.give_back();
        Ok(())
    }

    pub async fn kept(&self) -> Result<KeptBytes, EventStoreError> {
        let mut taken = self.reader.take().await?;
        let totals = totals::totals(taken.get()).await?;
        taken.give_back();
        Ok(totals.kept)
    }

    pub fn queries(&self) -> u64 {
        self.queries.load(Relaxed)
    }

    pub async fn close(&self) {
        // Every commit is durable already: an error here loses nothing.
        if let Ok(mut taken) = self.writer.take().await
            && totals::checkpoint(taken.get()).await.is_ok()
        {
            taken.give_back();
        }
    }

    pub(super) fn check_files(&self) -> Result<(), EventStoreError> {
        if self.files.are_in_place() { Ok(()) } else { Err(EventStoreError::Gone) }
    }

    /// The connection that reads, for one query of a poll or a list.
    pub(super) async fn read_connection(&self) -> Result<TakenConnection<'_>, EventStoreError> {
        self.queries.fetch_add(1, Relaxed);
        self.reader.take().await
    }

    /// The connection that reads, for what retention looks for.
    pub(super) async fn sweep_connection(&self) -> Result<TakenConnection<'_>, EventStoreError> {
        self.reader.take().await
    }
}

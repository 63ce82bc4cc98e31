//! Durable state. Floor 2: rows in and out, one transaction for each revision; the meaning of a
//! change is decided elsewhere.
//!
//! One enum over the supported databases. A call may take as long as the database needs: the caller
//! sets the time limit.

mod error;
mod known_key;
mod loaded;
mod messages;
mod sqlite;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::StoreError;
pub use known_key::KnownKey;
pub use loaded::{Loaded, Poison, SubjectRow, record};
pub use messages::{
    COMMIT_BLOB_BYTES, Commit, ExpectedHistory, HistoryQuery, Identity, MAX_FAULTS, MAX_PAGE,
    SLOWEST_DISK_BYTES_A_SECOND, StoredRevision, StoredWithBlobs, VerifyReport,
};
pub use sqlite::{
    Files as DatabaseFiles, Progress, STEP_BYTES, Staging, copy as copy_database,
    move_aside as move_database_aside, put_in_place, remove as remove_database,
};

use crate::ledger::{
    Blobs, ContentCache, ContentHash, FlagRecord, Head, KnownHead, PastStep, Revision, Subject,
};

/// An open database.
#[derive(Debug)]
pub enum Store {
    Sqlite(sqlite::Sqlite),
}

macro_rules! each {
    ($store:expr, $inner:ident => $call:expr) => {
        match $store {
            Store::Sqlite($inner) => $call,
        }
    };
}

impl Store {
    /// Opens the database file of a data folder and migrates its tables.
    pub async fn open_sqlite(path: &Path) -> Result<Store, StoreError> {
        Ok(Store::Sqlite(sqlite::Sqlite::open(path).await?))
    }

    /// Opens the database file of a data folder for reading only; its content cannot be changed
    /// through it.
    pub async fn open_sqlite_to_read(path: &Path) -> Result<Store, StoreError> {
        Ok(Store::Sqlite(sqlite::Sqlite::open_to_read(path).await?))
    }

    /// Makes the database file of a data folder, named `epoch`.
    pub async fn make_sqlite(path: &Path, epoch: &str) -> Result<(), StoreError> {
        let draft = Store::draft_sqlite(path, epoch).await?;
        Store::put_sqlite_in_place(&draft, path).await
    }

    /// Makes a database file beside its path, and says where: what must be in it from the first is
    /// written, it is closed, and then it is put in place.
    pub async fn draft_sqlite(path: &Path, epoch: &str) -> Result<PathBuf, StoreError> {
        sqlite::Sqlite::make(path, epoch).await
    }

    /// Gives a drafted database its name, whole or not at all. One that is there is kept beside it
    /// for a person to look at.
    pub async fn put_sqlite_in_place(draft: &Path, path: &Path) -> Result<(), StoreError> {
        let (draft, path) = (draft.to_owned(), path.to_owned());
        let put = move || {
            if sqlite::are_any(&path) {
                sqlite::set_aside(&path)?;
            }
            sqlite::put_in_place(&draft, &path)
        };
        sqlite::on_disk(put).await.map_err(|source| StoreError::Database {
            doing: "put the database file in place",
            source: sqlx::Error::Io(source),
        })
    }

    /// Whether any file of a database is at this path.
    pub fn leaves_sqlite(path: &Path) -> bool {
        sqlite::are_any(path)
    }

    /// The database's identity and head, whether its history is complete, and which of the known
    /// states `from` are part of it.
    pub async fn identify(&self, from: &[&KnownHead]) -> Result<Identity, StoreError> {
        each!(self, store => store.identify(from).await)
    }

    /// Checks every page; a large database takes seconds.
    pub async fn check_pages(&self) -> Result<(), StoreError> {
        each!(self, store => store.check_pages().await)
    }

    /// The name that a database keeps for life, and its head.
    pub async fn head(&self) -> Result<(String, Head), StoreError> {
        each!(self, store => store.head().await)
    }

    /// Every subject in its present state, with the blobs they refer to. A cached blob (`cached`)
    /// is checked, and not read into memory again.
    pub async fn load(&self, cached: &Blobs) -> Result<Loaded, StoreError> {
        each!(self, store => store.load(cached).await)
    }

    /// Begins to write the blobs of a revision before it. The caller runs steps until
    /// [`Staging::is_done`], then commits. There is nothing to do if the blobs are few or already
    /// stored.
    pub async fn stage_blobs(&self, blobs: &Blobs) -> Staging<'_> {
        each!(self, store => store.stage_blobs(blobs).await)
    }

    /// Makes a revision durable, whole or not at all. After an error it is unknown whether the
    /// commit succeeded: read the head.
    pub async fn commit(&self, commit: Commit<'_>) -> Result<(), StoreError> {
        each!(self, store => store.commit(commit).await)
    }

    /// Fills every unused number up to `up_to` with a revision like `like` that changes nothing;
    /// all of them or none. Returns whether there was any.
    pub async fn pass_over(&self, up_to: u64, like: &Revision) -> Result<bool, StoreError> {
        each!(self, store => store.pass_over(up_to, like).await)
    }

    /// Tests whether the database can be written now, by writing what is there already.
    pub async fn try_writing(&self) -> Result<(), StoreError> {
        each!(self, store => store.try_writing().await)
    }

    /// What an idempotency key was used for, and the resulting revision.
    pub async fn by_idempotency_key(&self, key: &str) -> Result<Option<KnownKey>, StoreError> {
        each!(self, store => store.by_idempotency_key(key).await)
    }

    /// Revisions, newest first.
    pub async fn history(&self, page: &HistoryQuery) -> Result<Vec<StoredRevision>, StoreError> {
        each!(self, store => store.history(page).await)
    }

    /// The revisions after a known head, oldest first, proved to form a chain from there; at most
    /// `limit`, and fewer if they are large. An empty result means that none are left. Each comes
    /// with the blobs that its changes name; a cached one is not read again.
    pub async fn revisions_after(
        &self,
        head: &Head,
        limit: u32,
        cached: &Blobs,
    ) -> Result<Vec<StoredWithBlobs>, StoreError> {
        each!(self, store => store.revisions_after(head, limit, cached).await)
    }

    /// The changes of a flag, newest first, at most [`MAX_PAGE`] steps before `before`.
    pub async fn flag_actions(&self, flag: &str, before: u64) -> Result<Vec<PastStep>, StoreError> {
        each!(self, store => store.flag_actions(flag, before).await)
    }

    /// A flag's record at a revision, with the blobs it refers to.
    pub async fn flag_at(
        &self,
        flag: &str,
        revision: u64,
    ) -> Result<Option<(FlagRecord, ContentCache)>, StoreError> {
        each!(self, store => store.flag_at(flag, revision).await)
    }

    /// Whether a revision exists and matches its hash, given the row before it.
    pub async fn is_intact(&self, revision: u64) -> Result<bool, StoreError> {
        each!(self, store => store.is_intact(revision).await)
    }

    /// The revisions among these that exist and match their hashes, each given the row before it.
    pub async fn intact_revisions(
        &self,
        revisions: &BTreeSet<u64>,
    ) -> Result<BTreeSet<u64>, StoreError> {
        each!(self, store => store.intact_revisions(revisions).await)
    }

    /// Whether this is the database of a known state, and the state is part of its history.
    pub async fn holds(&self, known: &KnownHead) -> Result<bool, StoreError> {
        each!(self, store => store.holds(known).await)
    }

    /// A subject's earlier records, newest first, as stored.
    pub async fn previous_records(&self, subject: &Subject) -> Result<Vec<String>, StoreError> {
        each!(self, store => store.previous_records(subject).await)
    }

    /// These blobs, as far as they exist.
    pub async fn blobs(&self, ids: &[ContentHash]) -> Result<Blobs, StoreError> {
        each!(self, store => store.blobs(ids).await)
    }

    /// The first of these blobs, as many as fit into so many bytes.
    pub async fn blobs_up_to(
        &self,
        ids: &[ContentHash],
        bytes: usize,
    ) -> Result<Blobs, StoreError> {
        each!(self, store => store.blobs_up_to(ids, bytes).await)
    }

    /// Checks that the database holds what was written, and what this node kept of it elsewhere. It
    /// may take as long as it makes progress: it stops after a time without reading a page.
    pub async fn verify(
        &self,
        expected: &ExpectedHistory,
        silence: Duration,
    ) -> Result<VerifyReport, StoreError> {
        each!(self, store => store.verify(expected, silence).await)
    }

    /// Runs a long reading of this database (a load, or the revisions after a head), however long
    /// it takes. Returns `None` after a time without reading a page.
    pub async fn unless_silent<T>(
        &self,
        silence: Duration,
        reading: impl Future<Output = T>,
    ) -> Option<T> {
        each!(self, store => store.unless_silent(silence, reading).await)
    }

    /// Notes that all credentials of the older form were brought over: they are not read again.
    pub async fn forget_old_tokens(&self) -> Result<(), StoreError> {
        each!(self, store => store.forget_old_tokens().await)
    }

    /// The last revision that a reader has processed.
    pub async fn cursor(&self, reader: &str) -> Result<Option<u64>, StoreError> {
        each!(self, store => store.cursor(reader).await)
    }

    pub async fn move_cursor(&self, reader: &str, revision: u64) -> Result<(), StoreError> {
        each!(self, store => store.move_cursor(reader, revision).await)
    }

    /// Closes every file of the database and waits for it. Until then the same files must not be
    /// opened again: both openings would share their locks but not their contents.
    pub async fn release(self) {
        each!(self, store => store.release().await);
    }

    /// Closes the database cleanly.
    pub async fn close(&self) {
        each!(self, store => store.close().await);
    }
}

//! Durable truth. Floor 2: rows in and out, one transaction to a revision; what a change means is
//! not its business.
//!
//! One enum over the databases there are. Every call may take as long as the database likes:
//! whoever calls sets the time.

mod batch;
mod blobs;
mod chain;
mod changes;
mod check;
mod error;
mod files;
mod following;
mod history;
mod known_key;
mod reader;
mod rows;
mod schema;
mod sqlite;
mod staging;
mod subjects;
mod verify;
mod writer;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

pub use check::Identity;
pub use error::StoreError;
pub use following::StoredWithTexts;
pub use known_key::KnownKey;
pub use rows::{Loaded, Poison, SubjectRow, record};
pub use staging::{Progress, STEP_BYTES, Staging};

use crate::ledger::{
    Blobs, ContentCache, ContentHash, FlagRecord, Head, KnownHead, PastStep, Revision, Subject,
};

/// The most revisions one page of the history holds.
pub const MAX_PAGE: u32 = 1000;

/// So many bytes of texts a commit writes by itself. More are staged before it.
pub const COMMIT_TEXT_BYTES: usize = 1024 * 1024;
/// The slowest disk on which all that is within the limits is saved.
pub const SLOWEST_DISK_BYTES_A_SECOND: u64 = 4_000_000;

/// An open database.
#[derive(Debug)]
pub enum Store {
    Sqlite(sqlite::Sqlite),
}

/// A revision to be committed.
#[derive(Debug)]
pub struct Commit<'a> {
    pub revision: &'a Revision,
    /// The head it was made against: another one in the database refuses it.
    pub after: &'a Head,
    /// The texts its records speak of and the database may lack. More than [`COMMIT_TEXT_BYTES`] of
    /// them were staged.
    pub texts: &'a Blobs,
    /// What its idempotency key stands for.
    pub request: Option<ContentHash>,
}

/// Which revisions to show, the newest first.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// Only those that changed this flag.
    pub flag: Option<String>,
    /// Only older ones than this.
    pub before: Option<u64>,
    /// Only newer ones than this.
    pub after: Option<u64>,
    /// At most [`MAX_PAGE`].
    pub limit: u32,
    /// With every change of each revision, however many they are; else the first hundred, and what
    /// was done to `flag`.
    pub whole: bool,
}

/// A revision as it is stored, with the hash its row states.
#[derive(Clone, Debug)]
pub struct StoredRevision {
    pub revision: Revision,
    pub hash: ContentHash,
    /// How many changes it has beside those that were read.
    pub more_changes: u64,
}

/// What this node knows of the database beside it: a history that was written anew as a whole is
/// told by nothing else.
#[derive(Clone, Debug, Default)]
pub struct ExpectedHistory {
    /// The database's name for itself.
    pub epoch: Option<String>,
    pub head: Option<Head>,
}

/// What checking every row came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many revisions were read.
    pub revisions: u64,
    /// What is wrong, the oldest first; at most [`MAX_FAULTS`].
    pub faults: Vec<String>,
}

/// The most faults a verdict names.
pub const MAX_FAULTS: usize = 20;

macro_rules! each {
    ($store:expr, $inner:ident => $call:expr) => {
        match $store {
            Store::Sqlite($inner) => $call,
        }
    };
}

impl Store {
    /// Opens the database file of a data folder and brings its tables up to date.
    pub async fn open_sqlite(path: &Path) -> Result<Store, StoreError> {
        Ok(Store::Sqlite(sqlite::Sqlite::open(path).await?))
    }

    /// Opens the database file of a data folder to look at it; nothing in it is changed, nor may
    /// be.
    pub async fn open_sqlite_to_read(path: &Path) -> Result<Store, StoreError> {
        Ok(Store::Sqlite(sqlite::Sqlite::open_to_read(path).await?))
    }

    /// Makes the database file of a data folder, named `epoch`.
    pub async fn make_sqlite(path: &Path, epoch: &str) -> Result<(), StoreError> {
        sqlite::Sqlite::make(path, epoch).await
    }

    /// Keeps a database that does not read, with what belongs to it, beside its path.
    pub fn set_sqlite_aside(path: &Path) -> std::io::Result<()> {
        files::set_aside(path)
    }

    /// Whether any file of a database lies at this path.
    pub fn leaves_sqlite(path: &Path) -> bool {
        files::are_any(path)
    }

    /// Which database it is and how far it has come, whether its history is whole, and which of
    /// these known states are part of it.
    pub async fn identify(&self, from: &[&KnownHead]) -> Result<Identity, StoreError> {
        each!(self, store => store.identify(from).await)
    }

    /// Checks every page of it; a large one takes seconds.
    pub async fn check_pages(&self) -> Result<(), StoreError> {
        each!(self, store => store.check_pages().await)
    }

    /// A name that a database keeps for life, and where its newest revision stands.
    pub async fn head(&self) -> Result<(String, Head), StoreError> {
        each!(self, store => store.head().await)
    }

    /// Every subject as it stands, the texts they speak of. A text that is `at_hand` is checked,
    /// and not read into memory again.
    pub async fn load(&self, at_hand: &Blobs) -> Result<Loaded, StoreError> {
        each!(self, store => store.load(at_hand).await)
    }

    /// Begins to write the texts of a revision before it; the caller takes step by step until
    /// [`Staging::is_done`], then commits. Nothing is to be done for texts that are few or there.
    pub async fn stage_texts(&self, texts: &Blobs) -> Staging<'_> {
        each!(self, store => store.stage_texts(texts).await)
    }

    /// Makes a revision durable, whole or not at all. An error of the database leaves it unknown
    /// whether it did: read the head.
    pub async fn commit(&self, commit: Commit<'_>) -> Result<(), StoreError> {
        each!(self, store => store.commit(commit).await)
    }

    /// Takes every number up to this one that no revision has, with a revision like `like` that
    /// changes nothing; all of them or none. Says whether there was any.
    pub async fn pass_over(&self, up_to: u64, like: &Revision) -> Result<bool, StoreError> {
        each!(self, store => store.pass_over(up_to, like).await)
    }

    /// Whether anything can be written just now: writes what is there already.
    pub async fn try_writing(&self) -> Result<(), StoreError> {
        each!(self, store => store.try_writing().await)
    }

    /// What an idempotency key was used for, and the revision that made.
    pub async fn by_idempotency_key(&self, key: &str) -> Result<Option<KnownKey>, StoreError> {
        each!(self, store => store.by_idempotency_key(key).await)
    }

    /// Revisions, the newest first.
    pub async fn history(&self, page: &HistoryQuery) -> Result<Vec<StoredRevision>, StoreError> {
        each!(self, store => store.history(page).await)
    }

    /// The revisions after a known head, the oldest first, proved as a chain from there; at most
    /// `limit`, and fewer where they are large. None are left once it is empty. Each comes with the
    /// texts that its changes name; one that is `at_hand` is not read again.
    pub async fn revisions_after(
        &self,
        head: &Head,
        limit: u32,
        at_hand: &Blobs,
    ) -> Result<Vec<StoredWithTexts>, StoreError> {
        each!(self, store => store.revisions_after(head, limit, at_hand).await)
    }

    /// What was done to a flag, the newest first, at most [`MAX_PAGE`] steps before `before`.
    pub async fn flag_actions(&self, flag: &str, before: u64) -> Result<Vec<PastStep>, StoreError> {
        each!(self, store => store.flag_actions(flag, before).await)
    }

    /// A flag's record at a revision, with the texts it speaks of.
    pub async fn flag_at(
        &self,
        flag: &str,
        revision: u64,
    ) -> Result<Option<(FlagRecord, ContentCache)>, StoreError> {
        each!(self, store => store.flag_at(flag, revision).await)
    }

    /// Whether a revision is there and is what its hash says after the row before.
    pub async fn stands(&self, revision: u64) -> Result<bool, StoreError> {
        each!(self, store => store.stands(revision).await)
    }

    /// Those of these revisions that are there and are what their hashes say, each after the row
    /// before it.
    pub async fn that_stand(&self, revisions: &BTreeSet<u64>) -> Result<BTreeSet<u64>, StoreError> {
        each!(self, store => store.that_stand(revisions).await)
    }

    /// Whether this is the database of a known state, and that state is part of its history.
    pub async fn holds(&self, known: &KnownHead) -> Result<bool, StoreError> {
        each!(self, store => store.holds(known).await)
    }

    /// Recorded forms of a subject from before, the newest first, as they stand in the database.
    pub async fn previous_records(&self, subject: &Subject) -> Result<Vec<String>, StoreError> {
        each!(self, store => store.previous_records(subject).await)
    }

    /// These texts, as far as they are there.
    pub async fn texts(&self, ids: &[ContentHash]) -> Result<Blobs, StoreError> {
        each!(self, store => store.texts(ids).await)
    }

    /// As many of these texts as there are in so many bytes, the first ones first.
    pub async fn texts_up_to(
        &self,
        ids: &[ContentHash],
        bytes: usize,
    ) -> Result<Blobs, StoreError> {
        each!(self, store => store.texts_up_to(ids, bytes).await)
    }

    /// Whether the database is what was written, and what this node kept of it elsewhere. It takes
    /// as long as it goes on: it ends once no page was read for so long.
    pub async fn verify(
        &self,
        kept: &ExpectedHistory,
        silence: Duration,
    ) -> Result<VerifyReport, StoreError> {
        each!(self, store => store.verify(kept, silence).await)
    }

    /// What a long reading of this database comes to, a load or the revisions after a head, however
    /// long it takes; `None` once no page was read for so long.
    pub async fn unless_silent<T>(
        &self,
        silence: Duration,
        reading: impl Future<Output = T>,
    ) -> Option<T> {
        each!(self, store => store.unless_silent(silence, reading).await)
    }

    /// All credentials of the older form were brought over: none of them is read again.
    pub async fn forget_old_tokens(&self) -> Result<(), StoreError> {
        each!(self, store => store.forget_old_tokens().await)
    }

    /// How far a reader of the revisions has come.
    pub async fn cursor(&self, reader: &str) -> Result<Option<u64>, StoreError> {
        each!(self, store => store.cursor(reader).await)
    }

    pub async fn move_cursor(&self, reader: &str, revision: u64) -> Result<(), StoreError> {
        each!(self, store => store.move_cursor(reader, revision).await)
    }

    /// Lets go of every file of the database and waits for it. Until then another opening of the
    /// same files must not begin: it would share their locks and not their contents.
    pub async fn release(self) {
        each!(self, store => store.release().await);
    }

    /// Lets go of the database in good order.
    pub async fn close(&self) {
        each!(self, store => store.close().await);
    }
}

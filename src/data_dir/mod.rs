//! The data folder: one process at a time, everything in it its owner's alone. Floor 2.

mod addresses;
mod admin_socket;
mod admin_token;
mod in_place;
mod issuer_keys;
mod journal;
mod last_good;
mod lock;
mod revoked_sessions;
mod rights;
mod space;
mod usage;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

pub use addresses::{Addresses, AddressesError};
pub use admin_socket::{NamedSocket, SocketName};
pub use admin_token::AdminTokenFile;
pub use in_place::FileId;
pub use issuer_keys::IssuerKeysFile;
pub use journal::{
    Journal, JournalContents as FoundJournal, JournalEntries as JournalContents, JournalError,
};
pub use last_good::{Beside, FoundLastGood, LastGood, LastGoodError, LastGoodFile};
pub use revoked_sessions::{FoundRevocations, ReadRevocations, RevocationsError, RevocationsFile};
pub use rights::keep_to_owner;
pub use space::DiskSpace;
pub use usage::DiskUsage;

use crate::regular_file;
use lock::{FolderLock, LockError};

/// The names of files in the folder that others look at without holding it.
pub const DATABASE: &str = "turnout.db";
pub const EVENTS: &str = "events.db";
pub const JOURNAL: &str = "pending.journal";
pub const LAST_GOOD: &str = "last-good";
pub const REVOKED_SESSIONS: &str = "revoked-sessions";

/// The folder, held until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: Mutex<FolderLock>,
    /// How often another folder took the place of the one before.
    number: AtomicU64,
}

/// Which folder is at the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderAtPath {
    /// The one that was held before.
    Same,
    /// Another one, which is held from now on: what must survive is to be written there.
    Another,
}

/// Why a data folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("cannot make the data folder {}", .0.display())]
    Make(PathBuf, #[source] io::Error),
    #[error("another turnout is using the data folder {}", .0.display())]
    InUse(PathBuf),
}

impl DataDir {
    /// Makes the folder if need be, and holds it.
    pub fn open(path: &Path) -> Result<DataDir, DataError> {
        make(path).map_err(|source| DataError::Make(path.to_owned(), source))?;
        let lock = FolderLock::take(path).map_err(|error| unheld(path, error))?;
        Ok(DataDir { path: path.to_owned(), lock: Mutex::new(lock), number: AtomicU64::new(0) })
    }

    /// Which of the folders that were held one after another it is.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks which folder is at the path and holds it: the one of before, or another one that took
    /// its place. Only what is written to a folder that is held is kept; an error says why the one
    /// at the path is not.
    pub fn hold(&self) -> Result<FolderAtPath, DataError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_at(&self.path) {
            lock.hold_file(&self.path).map_err(|error| unheld(&self.path, error))?;
            return Ok(FolderAtPath::Same);
        }
        // Only the folder itself: a parent that is gone too was a volume, and what is written in
        // its place hides it.
        make_one(&self.path).map_err(|source| DataError::Make(self.path.clone(), source))?;
        lock.move_to(&self.path).map_err(|error| unheld(&self.path, error))?;
        self.number.fetch_add(1, Ordering::Relaxed);
        Ok(FolderAtPath::Another)
    }

    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The database of events.
    pub fn events(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    pub fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// Whose sessions were revoked.
    pub fn revoked_sessions(&self) -> PathBuf {
        self.path.join(REVOKED_SESSIONS)
    }

    /// What is found where the journal should be; nothing is changed.
    pub fn look_at_journal(&self) -> FoundJournal {
        Journal::look(&self.journal())
    }

    /// Keeps a newer build's journal beside its path, so that this build may write its own: a
    /// person decided so.
    pub fn set_newer_journal_aside(&self) -> io::Result<()> {
        match self.look_at_journal() {
            FoundJournal::OfNewerBuild { .. } => set_aside(&self.journal(), "newer"),
            _ => Ok(()),
        }
    }

    /// Whether a damaged file was kept aside and is still there.
    pub fn holds_anything_damaged(&self) -> bool {
        [self.last_good(), self.journal(), self.database()]
            .iter()
            .any(|path| FileId::at(&aside(path, "damaged")).is_some())
    }

    pub fn last_good(&self) -> PathBuf {
        self.path.join(LAST_GOOD)
    }
}

fn make(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn make_one(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn unheld(path: &Path, error: LockError) -> DataError {
    match error {
        LockError::InUse => DataError::InUse(path.to_owned()),
        LockError::Io(source) => DataError::Make(path.to_owned(), source),
    }
}

/// Where a file is kept that another takes the place of, or that is to take its place. Each file has
/// such a name of its own.
fn aside(path: &Path, why: &str) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".");
    aside.push(why);
    aside.into()
}

/// Keeps a file that does not read, or a newer build's (`why`), beside its path, as it is, for a
/// person to look at: the newest such file.
fn set_aside(path: &Path, why: &str) -> io::Result<()> {
    let aside = aside(path, why);
    if FileId::at(&aside).is_some() && FileId::at(&aside) == FileId::at(path) {
        return Ok(());
    }
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // A second name, so that the file is at its path until another takes its place. Not every file
    // system has them.
    fs::hard_link(path, &aside).or_else(|_| fs::copy(path, &aside).map(drop))
}

/// Puts a new file in the place of an old one, whole or not at all: a file beside it, synced,
/// renamed, and the folder synced.
fn replace<T>(path: &Path, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
    let beside = aside(path, "new");
    let mut file = regular_file::make_own(&beside)?;
    let written = write(&mut file).and_then(|written| file.sync_all().map(|()| written));
    let renamed = written.and_then(|written| fs::rename(&beside, path).map(|()| written));
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    renamed
}

//! The data folder: one process at a time, everything in it its owner's alone. Floor 2.

mod addresses;
mod journal;
mod last_good;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub use addresses::{Addresses, AddressesError};
pub use journal::Journal;
pub use last_good::{LastGood, LastGoodError};

/// The folder, held until this is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: Option<File>,
}

/// Why a data folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("cannot make the data folder {}", .0.display())]
    Make(PathBuf, #[source] io::Error),
    #[error("another turnout is using the data folder {}", .0.display())]
    InUse(PathBuf),
    #[error("cannot read or write {}", .0.display())]
    Token(PathBuf, #[source] io::Error),
}

impl DataFolder {
    /// Makes the folder if need be, and holds it.
    pub fn open(path: &Path) -> Result<DataFolder, DataError> {
        let make = |source| DataError::Make(path.to_owned(), source);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(make)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join("lock"));
        let lock = match lock {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => Some(lock),
                Err(fs::TryLockError::WouldBlock) => return Err(DataError::InUse(path.to_owned())),
                // A file system without locks keeps nobody out.
                Err(fs::TryLockError::Error(_)) => None,
            },
            // A full disk must not keep a service down that has a last good state to serve.
            Err(_) if path.is_dir() => None,
            Err(error) => return Err(make(error)),
        };
        Ok(DataFolder { path: path.to_owned(), _lock: lock })
    }

    pub fn database(&self) -> PathBuf {
        self.path.join("turnout.db")
    }

    pub fn journal(&self) -> PathBuf {
        self.path.join("pending.journal")
    }

    pub fn last_good(&self) -> PathBuf {
        self.path.join("last-good")
    }

    pub fn admin_token(&self) -> PathBuf {
        self.path.join("admin.token")
    }

    /// The credential of whoever may read this folder; `fresh` becomes it where there is none.
    pub fn read_admin_token(&self, fresh: &str) -> Result<String, DataError> {
        let path = self.admin_token();
        match fs::read_to_string(&path) {
            Ok(token) if !token.trim().is_empty() => Ok(token.trim().to_owned()),
            Ok(_) => replace(&path, |file| writeln!(file, "{fresh}")).map(|()| fresh.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                replace(&path, |file| writeln!(file, "{fresh}")).map(|()| fresh.to_owned())
            }
            Err(error) => Err(error),
        }
        .map_err(|error| DataError::Token(path, error))
    }
}

/// Puts a new file in the place of an old one, whole or not at all: a file beside it, synced, renamed, and the folder synced.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(&beside)?;
    let written = write(&mut file).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

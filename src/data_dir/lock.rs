//! The lock on the data folder: one server at a time, whatever is deleted in the folder.
//!
//! The folder itself is locked, so a deleted file lets no second server in. The file `lock` is
//! locked too: earlier builds look at nothing else.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use super::in_place::FileId;
use crate::regular_file;

const NAME: &str = "lock";

/// Held until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    /// Open as long as this is held, so that no other folder gets its id.
    _folder: File,
    id: FileId,
    /// `None` where it could not be made: a full disk keeps no service down that has a state to
    /// serve.
    file: Option<(File, FileId)>,
}

/// Why a folder is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another server holds it")]
    InUse,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FolderLock {
    pub fn take(path: &Path) -> Result<FolderLock, LockError> {
        let folder = File::open(path)?;
        lock(&folder)?;
        let id = FileId::of(&folder)?;
        Ok(FolderLock { _folder: folder, id, file: lock_file(path)? })
    }

    /// Holds the folder at the path in the place of this one. A copy that is made of hard links has
    /// the very file `lock` that is held here: that is another server's only where this one has not
    /// locked it, so the copy gets one of its own.
    pub fn move_to(&mut self, path: &Path) -> Result<(), LockError> {
        let folder = File::open(path)?;
        lock(&folder)?;
        let id = FileId::of(&folder)?;
        let name = path.join(NAME);
        if self.file.as_ref().is_some_and(|(_, held)| FileId::at(&name) == Some(*held)) {
            fs::remove_file(&name)?;
        }
        let file = lock_file(path)?;
        *self = FolderLock { _folder: folder, id, file };
        Ok(())
    }

    /// Whether the folder at the path is the one that is held.
    pub fn is_at(&self, path: &Path) -> bool {
        FileId::at(path) == Some(self.id)
    }

    /// Locks the file `lock` anew where it was deleted or replaced.
    pub fn hold_file(&mut self, path: &Path) -> Result<(), LockError> {
        let held = self.file.as_ref().map(|(_, id)| *id);
        if held.is_none() || held != FileId::at(&path.join(NAME)) {
            self.file = lock_file(path)?;
        }
        Ok(())
    }
}

fn lock_file(path: &Path) -> Result<Option<(File, FileId)>, LockError> {
    let opened = regular_file::open_own(
        OpenOptions::new().create(true).truncate(false).write(true),
        &path.join(NAME),
    );
    let Ok(file) = opened else { return Ok(None) };
    lock(&file)?;
    let id = FileId::of(&file)?;
    Ok(Some((file, id)))
}

/// A file system without locks keeps no second server out.
fn lock(file: &File) -> Result<(), LockError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(LockError::InUse),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

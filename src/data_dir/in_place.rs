//! Whether a file that is held open is still the one at its path: a deleted or replaced file takes
//! every write and loses it.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Which file it is, whatever its name. While the file is held open, no other file has the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub fn of(file: &File) -> io::Result<FileId> {
        file.metadata().map(|metadata| FileId::from(&metadata))
    }

    /// The file at a path; `None` where there is none, or none that can be looked at.
    pub fn at(path: &Path) -> Option<FileId> {
        fs::metadata(path).ok().map(|metadata| FileId::from(&metadata))
    }
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

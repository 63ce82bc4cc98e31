//! The files an open database consists of: the database file, `-wal` and `-shm`.
//!
//! SQLite holds them open. Were one deleted or replaced, every later commit would go into a file that no start ever finds.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Which files they were when the database was opened.
#[derive(Debug)]
pub struct Files(Vec<(PathBuf, (u64, u64))>);

impl Files {
    /// Those that are there; a database in WAL mode that was read has them all.
    pub fn of(database: &Path) -> io::Result<Files> {
        let mut files = vec![(database.to_owned(), id(database)?)];
        for path in COMPANIONS.map(|end| beside(database, end)) {
            if let Ok(id) = id(&path) {
                files.push((path, id));
            }
        }
        Ok(Files(files))
    }

    pub fn are_in_place(&self) -> bool {
        self.0.iter().all(|(path, known)| id(path).is_ok_and(|id| id == *known))
    }
}

/// The path of a file that belongs to the database.
fn beside(database: &Path, end: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(end);
    path.into()
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

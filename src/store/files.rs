//! The files an open database consists of: the database file, `-wal` and `-shm`.
//!
//! SQLite holds them open. Were one deleted or replaced, every later commit would go into a file
//! that no start ever finds.

use std::fs::{self, File};
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

/// Whether there is any of them.
pub fn are_any(database: &Path) -> bool {
    all(database).into_iter().any(|path| path.exists())
}

pub fn remove(database: &Path) -> io::Result<()> {
    all(database).into_iter().try_for_each(|path| match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

/// Gives a closed database its name. What is left of another one's companions would be taken for
/// its own, so it goes first.
pub fn put_in_place(from: &Path, database: &Path) -> io::Result<()> {
    COMPANIONS.iter().try_for_each(|end| match fs::remove_file(beside(database, end)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })?;
    fs::rename(from, database)?;
    sync_folder(database)
}

/// Keeps a database that does not read, with its companions, as `turnout.db.damaged`: the newest
/// such.
pub fn set_aside(database: &Path) -> io::Result<()> {
    let aside = beside(database, ".damaged");
    remove(&aside)?;
    for end in ["", "-wal", "-shm"] {
        match fs::rename(beside(database, end), beside(&aside, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_folder(database)
}

fn all(database: &Path) -> Vec<PathBuf> {
    ["", "-wal", "-shm"].map(|end| beside(database, end)).into()
}

fn sync_folder(database: &Path) -> io::Result<()> {
    File::open(database.parent().unwrap_or(Path::new(".")))?.sync_all()
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

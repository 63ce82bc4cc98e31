//! The files an open database consists of: the database file, `-wal` and `-shm`.
//!
//! SQLite holds them open. Were one deleted or replaced, every later commit would go into a file
//! that no start ever finds.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const WAL: &str = "-wal";
const COMPANIONS: [&str; 2] = [WAL, "-shm"];
/// The first of a `-wal`, up to its frames; each time it is begun anew another one.
const WAL_HEADER: usize = 32;
/// What that begins with, but for the last bit, which says how its sums are made.
const WAL_MARK: u32 = 0x377f_0682;

/// Which files they were when the database was opened. Where its path is a link, the companions are
/// beside what the link leads to: SQLite resolves it too.
#[derive(Debug)]
pub struct Files {
    known: Vec<(PathBuf, (u64, u64))>,
    wal: Option<Wal>,
}

impl Files {
    /// Of a database in WAL mode that is open and was read: it has them all, and one that is not
    /// there is an error.
    pub fn of_open(database: &Path) -> io::Result<Files> {
        Files::of(database, |path| id(path).map(Some))
    }

    /// Those that are there. A reader that may write to no file needs no companion.
    pub fn of_read(database: &Path) -> io::Result<Files> {
        Files::of(database, |path| match id(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        })
    }

    fn of(
        database: &Path,
        look: impl Fn(&Path) -> io::Result<Option<(u64, u64)>>,
    ) -> io::Result<Files> {
        let target = fs::canonicalize(database)?;
        let mut known = vec![(database.to_owned(), id(database)?)];
        for path in COMPANIONS.map(|end| beside(&target, end)) {
            known.extend(look(&path)?.map(|id| (path, id)));
        }
        let wal = match File::open(beside(&target, WAL)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(Wal { file: opened?, seen: Mutex::default() }),
        };
        Ok(Files { known, wal })
    }

    /// Whether each of them is at its path, and what was written to `-wal` is in it.
    pub fn are_in_place(&self) -> bool {
        self.known.iter().all(|(path, known)| id(path).is_ok_and(|id| id == *known))
            && self.wal.as_ref().is_none_or(Wal::is_whole)
    }
}

/// The `-wal`, open to see what becomes of it: SQLite has no lock on this one that closing it would
/// end, as with the other two.
#[derive(Debug)]
struct Wal {
    file: File,
    /// How it began when it was looked at last, and how long it was.
    seen: Mutex<([u8; WAL_HEADER], u64)>,
}

impl Wal {
    /// Whether nothing was cut off under those who write to it: they go on at the place where it
    /// ended, and a start finds nothing behind the gap. It is emptied in good order, and begun anew
    /// with another header.
    fn is_whole(&self) -> bool {
        let Ok(length) = self.file.metadata().map(|metadata| metadata.len()) else { return false };
        let mut header = [0; WAL_HEADER];
        let is_begun = match self.file.read_at(&mut header, 0) {
            Ok(0) => return true,
            read => read.is_ok_and(|read| read == WAL_HEADER),
        };
        let [first, second, third, fourth, ..] = header;
        let mark = u32::from_be_bytes([first, second, third, fourth]);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole = is_begun && mark & !1 == WAL_MARK && (seen.0 != header || seen.1 <= length);
        if is_whole {
            *seen = (header, length);
        }
        is_whole
    }
}

/// Whether there is any of them. A link that leads nowhere is one: what it led to may be on a disk
/// that is not there now.
pub fn are_any(database: &Path) -> bool {
    all(database).into_iter().any(|path| path.symlink_metadata().is_ok())
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
    move_aside(database, &aside)
}

/// Gives a database that is not open another name, with its companions.
pub fn move_aside(database: &Path, aside: &Path) -> io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        match fs::rename(beside(database, end), beside(aside, end)) {
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

//! Whose sessions were revoked, durable beside the journal in a file of its own, `revoked-sessions`:
//! neither takes the other's room. It has its bytes from the start, so that a full disk does not
//! stop a revocation. When it is full it is made anew with what is still kept, and larger where
//! that needs it (decision 0068).
//!
//! | file | what it decides |
//! |---|---|
//! | `layout` | how header, counter and records stand in the file |
//! | `reading` | which records count, and how whole the file is |

mod layout;
mod reading;
#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

pub use reading::{FoundRevocations, ReadRevocations};

use super::in_place::FileId;
use super::{replace, set_aside};
use crate::auth::{DigestKey, MAX_REVOKED_USERS, SessionRevocation, USER_GROUPS};
use crate::regular_file;

/// How many records the smallest file has room for: 256 KiB.
const LEAST_RECORDS: usize = 4 * 1024;
/// How many the largest has: all that is ever kept, and half as many again. 16 MiB.
const MOST_RECORDS: usize = 256 * 1024;
const _: () = assert!(MOST_RECORDS * 2 > (MAX_REVOKED_USERS + USER_GROUPS) * 3);

/// The open file.
#[derive(Debug)]
pub struct RevocationsFile {
    path: PathBuf,
    file: File,
    id: FileId,
    key: DigestKey,
    /// How many records it has room for, and how many it has.
    room: usize,
    used: usize,
}

/// Why a revocation is not durable.
#[derive(Debug, thiserror::Error)]
pub enum RevocationsError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is full: it has room for {room} records")]
    Full { room: usize },
    #[error("the file is not the one at its path any more, or lost its content")]
    NotInPlace,
}

impl RevocationsFile {
    /// Reads what is there and changes nothing.
    pub fn look(path: &Path) -> FoundRevocations {
        const MOST_BYTES: u64 = layout::file_bytes(MOST_RECORDS) as u64;
        let read = regular_file::open(path).and_then(|file| {
            let mut bytes = Vec::with_capacity(file.metadata()?.len().min(MOST_BYTES) as usize);
            file.take(MOST_BYTES).read_to_end(&mut bytes).map(|_| bytes)
        });
        match read {
            Ok(bytes) => reading::read(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => FoundRevocations::Absent,
            Err(_) => FoundRevocations::Damaged(ReadRevocations::default()),
        }
    }

    /// Makes a new file of these, whole or not at all, in the place of what is there. What is
    /// damaged there is kept aside.
    pub fn make(
        path: &Path,
        key: &DigestKey,
        all: &[SessionRevocation],
        is_damaged: bool,
    ) -> Result<RevocationsFile, RevocationsError> {
        if is_damaged {
            set_aside(path, "damaged")?;
        }
        let make = |room: usize| -> Result<RevocationsFile, RevocationsError> {
            let bytes = layout::file(key, all, room);
            let (file, id) = replace(path, |file| {
                file.write_all_at(&bytes, 0)?;
                Ok((file.try_clone()?, FileId::of(file)?))
            })?;
            let (path, key, used) = (path.to_owned(), key.clone(), all.len());
            Ok(RevocationsFile { path, file, id, key, room, used })
        };
        // A disk that has no room for more may have room for as much as is needed.
        let (wanted, least) = (room_for(all.len() / 2 * 3), room_for(all.len()));
        make(wanted).or_else(|error| if least < wanted { make(least) } else { Err(error) })
    }

    /// Goes on with a good one that was looked at.
    pub fn open(path: &Path, read: &ReadRevocations) -> Result<RevocationsFile, RevocationsError> {
        let key = read.key.clone().ok_or(RevocationsError::NotInPlace)?;
        let file = regular_file::open_own(OpenOptions::new().read(true).write(true), path)?;
        let (id, path, room) = (FileId::of(&file)?, path.to_owned(), read.room);
        let opened = RevocationsFile { path, file, id, key, room, used: read.revocations.len() };
        // A build that was killed may not have counted what it wrote last.
        opened.count()?;
        opened.check()?;
        Ok(opened)
    }

    /// Adds revocations, durably. After an error the file is to be made anew.
    pub fn append(&mut self, more: &[SessionRevocation]) -> Result<(), RevocationsError> {
        let end = self.used + more.len();
        if end > self.room {
            return Err(RevocationsError::Full { room: self.room });
        }
        let numbered = (self.used..).zip(more);
        let bytes: Vec<u8> =
            numbered.flat_map(|(index, one)| layout::record(index as u64 + 1, one)).collect();
        self.file.write_all_at(&bytes, layout::record_at(self.used) as u64)?;
        self.file.sync_data()?;
        self.check()?;
        self.used = end;
        // Not synced: a record that is whole counts without it.
        self.count()
    }

    /// Whether the file is the one at its path and still says what was written last.
    pub fn check(&self) -> Result<(), RevocationsError> {
        let mut head = vec![0; layout::RECORDS_AT];
        let is_whole = self.file.metadata()?.len() >= layout::file_bytes(self.room) as u64
            && self.file.read_exact_at(&mut head, 0).is_ok()
            && head == layout::head(&self.key, self.room, self.used as u64);
        if is_whole && FileId::at(&self.path) == Some(self.id) {
            Ok(())
        } else {
            Err(RevocationsError::NotInPlace)
        }
    }

    /// Whether most of it is about what is kept no longer.
    pub fn wants_compaction(&self, kept: usize) -> bool {
        self.used > LEAST_RECORDS / 2 && self.used / 2 > kept
    }

    /// Says in both counters how many records there are.
    fn count(&self) -> Result<(), RevocationsError> {
        let counters = layout::counters(self.used as u64);
        Ok(self.file.write_all_at(&counters, layout::COUNTERS_AT as u64)?)
    }
}

/// The room of the smallest file for so many records and one more.
fn room_for(records: usize) -> usize {
    let mut room = LEAST_RECORDS;
    while room <= records && room < MOST_RECORDS {
        room *= 2;
    }
    room
}

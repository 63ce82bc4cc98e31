//! Narrowing changes, durable before their commit is. The file has all its bytes from the start, so
//! that a full disk does not stop a stop. When it is full it is made anew with what is pending
//! then, and larger where that is needed.
//!
//! | file | what it decides |
//! |---|---|
//! | `make` | how a new file is made in the place of another |
//! | `header` | up to which entry all are committed, and the newest state that is known |
//! | `entry` | how an entry stands in the file, and what still reads of a damaged one |
//! | `keys` | which flags and credentials an entry is about |
//! | `scan` | which entries count |
//! | `room` | how large the file is, and who may use how much of it |
//! | `old` | the format of the builds before |
//! | `entries`, `contents` | what is known from the file, and how whole it is |
//! | `layout`, `zeros` | the numbers of the file's form, and the zeros in it |

mod contents;
mod entries;
mod entry;
mod header;
mod keys;
mod layout;
mod make;
mod old;
mod room;
mod scan;
#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests;
#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests_of_revocations;
mod zeros;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

pub use contents::JournalContents;
pub use entries::JournalEntries;
use header::Header;

use super::in_place::FileId;
use crate::ledger::{Doubt, KnownHead, PendingEntry};
use crate::regular_file;

/// So many appends find the file full before it is tried again to make it anew, where that failed.
const TRIED_AGAIN: u32 = 16;

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    id: FileId,
    /// How many bytes the file has.
    size: usize,
    /// How many appends found it full since it was last tried to make it anew.
    refused: u32,
    /// What did not fit when it was made.
    left_out: BTreeSet<String>,
    /// As it was written last.
    header: Header,
    /// Whether a start finds the known state of this header.
    is_known_synced: bool,
    /// The number of the newest entry.
    last: u64,
    /// Where the next entry goes.
    used: usize,
    /// Where the bytes of an entry end whose write failed.
    dirty: usize,
}

/// Why an entry is not durable.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(
        "the journal is full: it has {size} bytes of {}, a quarter of them for stops and revocations alone",
        room::MOST
    )]
    Full { size: usize },
    #[error("the file is not the one at its path any more, or lost its content")]
    NotInPlace,
    #[error("a newer build wrote it (format {0}), and it is left as it is")]
    OfNewerBuild(u16),
}

impl Journal {
    /// Reads what is there and changes nothing.
    pub fn look(path: &Path) -> JournalContents {
        let read = regular_file::open(path).and_then(|file| {
            let mut bytes =
                Vec::with_capacity(file.metadata()?.len().min(room::MOST as u64) as usize);
            file.take(room::MOST as u64).read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return JournalContents::Absent;
            }
            Err(error) => {
                let contents = JournalEntries {
                    doubt: Doubt::ALL,
                    is_damaged: true,
                    ..JournalEntries::default()
                };
                return JournalContents::Damaged {
                    contents,
                    why: format!("cannot be read: {error}"),
                };
            }
        };
        JournalContents::of(&bytes)
    }

    /// Goes on with a good one that was looked at.
    pub fn open(path: &Path, contents: &JournalEntries) -> Result<Journal, JournalError> {
        let file = regular_file::open_own(OpenOptions::new().read(true).write(true), path)?;
        let length = file.metadata()?.len() as usize;
        if length < room::LEAST {
            // Written, not merely claimed: a hole takes its room when it is too late.
            file.write_all_at(&vec![0; room::LEAST - length], length as u64)?;
            file.sync_all()?;
        }
        let size = length.clamp(room::LEAST, room::MOST);
        let JournalEntries { last, used, dirty, header, .. } = contents;
        let (last, used, dirty) = (*last, *used, *dirty);
        let id = FileId::of(&file)?;
        let (path, header) = (path.to_owned(), header.clone());
        let (refused, left_out) = (0, BTreeSet::new());
        // It was read from the file: whatever became of the last sync, a first note syncs.
        let is_known_synced = false;
        let mut journal = Journal {
            path,
            file,
            id,
            size,
            refused,
            left_out,
            header,
            is_known_synced,
            last,
            used,
            dirty,
        };
        journal.wipe()?;
        // A build before wrote one slot at a time.
        journal.write_both(journal.header.clone())?;
        Ok(journal)
    }

    /// Adds an entry; when this returns, a start finds it at the path.
    pub fn append(&mut self, entry: &PendingEntry) -> Result<(), JournalError> {
        let number = self.last + 1;
        let mut bytes = entry::pending(number, entry);
        let end = self.used + bytes.len();
        if end > room::limit(self.size, entry.is_stop()) {
            self.refused = self.refused.wrapping_add(1);
            return Err(JournalError::Full { size: self.size });
        }
        // Over what is left of an entry whose write failed.
        bytes.resize(bytes.len().max(self.dirty.saturating_sub(self.used)), 0);
        self.dirty = self.dirty.max(end);
        self.file.write_all_at(&bytes, (layout::HEADER_BYTES + self.used) as u64)?;
        self.file.sync_data()?;
        self.check()?;
        (self.last, self.used, self.dirty) = (number, end, end);
        // Not synced: an entry that is whole counts without it, and one that is damaged is told
        // from a write that was cut short.
        self.write_both(Header { acknowledged: number, ..self.header.clone() })
    }

    /// Makes it anew with these entries alone, and larger where they need it. Where that fails it
    /// stays as it is.
    pub fn compact(&mut self, entries: &[PendingEntry], doubt: &Doubt) -> Result<(), JournalError> {
        self.check()?;
        let made = Journal::make(&self.path, self.header.known.clone(), entries, doubt)?;
        let refused = if made.left_out.is_empty() { 0 } else { self.refused };
        *self = Journal { refused, ..made };
        Ok(())
    }

    /// That it was found full, and was not made anew since; or, that whatever is pending did not
    /// fit then.
    pub fn is_full(&self) -> Option<JournalError> {
        (self.refused > 0).then_some(JournalError::Full { size: self.size })
    }

    /// Whether to make it anew for the entry that found it full. Where that failed it is not tried
    /// for each.
    pub fn compacts_for_entry(&self) -> bool {
        self.refused % TRIED_AGAIN == 1
    }

    /// Whether it is full, and everything pending may fit once it is made anew.
    pub fn wants_room(&self) -> bool {
        self.refused > 0 && self.left_out.is_empty()
    }

    /// Whether an entry did not fit when the file was made.
    pub fn leaves_out(&self, id: &str) -> bool {
        self.left_out.contains(id)
    }

    /// That an entry fitted when the file was made.
    pub fn took(&self, entry: &PendingEntry) -> Result<(), JournalError> {
        if self.leaves_out(&entry.id) {
            Err(JournalError::Full { size: self.size })
        } else {
            Ok(())
        }
    }

    /// Keeps the newest state that is known. When this returns, a start finds it. What was written and
    /// could not be synced is written again the next time.
    pub fn note_known(&mut self, known: &KnownHead) -> Result<(), JournalError> {
        if self.is_known_synced && self.header.known.as_ref() == Some(known) {
            return Ok(());
        }
        self.is_known_synced = false;
        self.write_both(Header { known: Some(known.clone()), ..self.header.clone() })?;
        self.file.sync_data()?;
        self.is_known_synced = true;
        Ok(())
    }

    /// Forgets every entry: all are committed. Both slots say so, durably, before their room is
    /// used again.
    pub fn forget_all(&mut self) -> Result<(), JournalError> {
        if self.used == 0 {
            return Ok(());
        }
        for _ in 0..2 {
            self.write_header(Header {
                done: self.last,
                acknowledged: self.last,
                ..self.header.clone()
            })?;
            self.file.sync_data()?;
        }
        self.dirty = self.dirty.max(self.used);
        (self.used, self.refused) = (0, 0);
        self.wipe()?;
        self.shrink()
    }

    /// Gives back what it took beyond the least.
    fn shrink(&mut self) -> Result<(), JournalError> {
        if self.size == room::LEAST {
            return Ok(());
        }
        self.file.set_len(room::LEAST as u64)?;
        self.size = room::LEAST;
        // Neither slot says any more that it is a large one.
        self.write_both(self.header.clone())?;
        Ok(self.file.sync_all()?)
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// How many bytes its entries take.
    pub fn used(&self) -> usize {
        self.used
    }

    pub fn is_half_full(&self) -> bool {
        self.used > room::limit(self.size, false) / 2
    }

    /// Whether the file is the one at its path and still says what was written last.
    pub fn check(&self) -> Result<(), JournalError> {
        let length = self.file.metadata()?.len();
        let mut bytes = vec![0; layout::SLOT];
        let is_whole = length >= self.size as u64
            && self.file.read_exact_at(&mut bytes, self.header.offset() as u64).is_ok()
            && bytes == self.header.bytes(self.size);
        if is_whole && FileId::at(&self.path) == Some(self.id) {
            Ok(())
        } else {
            Err(JournalError::NotInPlace)
        }
    }

    /// Zeros, durably, from the end of the entries to the end of what was ever written behind them.
    fn wipe(&mut self) -> Result<(), JournalError> {
        if self.dirty > self.used {
            self.file.write_all_at(
                &vec![0; self.dirty - self.used],
                (layout::HEADER_BYTES + self.used) as u64,
            )?;
            self.file.sync_data()?;
            self.dirty = self.used;
        }
        Ok(())
    }

    /// Both slots say the same: should one be lost, the other still says how many entries were
    /// acknowledged, and a lost one is missed.
    fn write_both(&mut self, header: Header) -> Result<(), JournalError> {
        self.write_header(header.clone())?;
        self.write_header(header)
    }

    fn write_header(&mut self, header: Header) -> Result<(), JournalError> {
        let header = Header { sequence: self.header.sequence + 1, twofold: true, ..header };
        self.file.write_all_at(&header.bytes(self.size), header.offset() as u64)?;
        self.header = header;
        Ok(())
    }
}

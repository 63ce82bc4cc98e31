//! How a new journal is made, whole or not at all, in the place of what is there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::header::Header;
use super::{Journal, JournalContents, JournalError, entry, layout, room};
use crate::data_dir::in_place::FileId;
use crate::data_dir::set_aside;
use crate::ledger::{Doubt, KnownHead, PendingEntry};
use crate::regular_file;

impl Journal {
    /// Makes a new journal of these entries and this doubt, whole or not at all, in the place of
    /// what is there.
    pub fn make(
        path: &Path,
        known: Option<KnownHead>,
        entries: &[PendingEntry],
        doubt: &Doubt,
    ) -> Result<Journal, JournalError> {
        let (fitting, bytes) = room::fitting(sized(entries));
        let make = |size| Journal::make_of(size, path, known.clone(), &fitting, doubt);
        // A disk that has no room for more may have room for as much as now.
        let (wanted, least) = (room::size_for(bytes), room::least_for(bytes));
        let made =
            make(wanted).or_else(|error| if least < wanted { make(least) } else { Err(error) })?;
        let fitting: BTreeSet<&String> = fitting.iter().map(|entry| &entry.id).collect();
        let left_out = entries
            .iter()
            .map(|entry| &entry.id)
            .filter(|id| !fitting.contains(id))
            .cloned()
            .collect();
        Ok(Journal { left_out, ..made })
    }

    fn make_of(
        size: usize,
        path: &Path,
        known: Option<KnownHead>,
        entries: &[&PendingEntry],
        doubt: &Doubt,
    ) -> Result<Journal, JournalError> {
        let beside = path.with_extension("journal.new");
        let file = regular_file::make_own(&beside)?;
        let made = fill(size, &file, known, entries, doubt).and_then(|(header, used)| {
            file.sync_all()?;
            let last = header.acknowledged;
            let (id, path_of) = (FileId::of(&file)?, path.to_owned());
            let (refused, left_out) = (0, BTreeSet::new());
            let journal = Journal {
                path: path_of,
                file,
                id,
                size,
                refused,
                left_out,
                header,
                is_known_synced: true,
                last,
                used,
                dirty: used,
            };
            fs::rename(&beside, path)?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(journal)
        });
        if made.is_err() {
            let _ = fs::remove_file(&beside);
        }
        made
    }

    /// Makes a new journal of these entries beside whatever is at the path, and returns what else
    /// was pending there. A damaged file is kept aside, and one of a newer build is left as it is.
    pub fn remake(
        path: &Path,
        known: Option<KnownHead>,
        entries: &[PendingEntry],
        doubt: &Doubt,
    ) -> Result<(Journal, Vec<PendingEntry>), JournalError> {
        let found = Journal::look(path);
        match &found {
            JournalContents::OfNewerBuild { format } => {
                return Err(JournalError::OfNewerBuild(*format));
            }
            JournalContents::Damaged { .. } => set_aside(path, "damaged")?,
            JournalContents::Absent | JournalContents::Good(_) | JournalContents::Old(_) => {}
        }
        let superseded =
            entries.iter().flat_map(|entry| &entry.superseded).map(|superseded| &superseded.id);
        let known_ids: BTreeSet<&String> =
            entries.iter().map(|entry| &entry.id).chain(superseded).collect();
        let is_new = |entry: &&PendingEntry| !known_ids.contains(&entry.id);
        let there = found.contents().map_or(&[][..], |contents| &contents.entries);
        let more: Vec<PendingEntry> = there.iter().filter(is_new).cloned().collect();
        let all: Vec<PendingEntry> = entries.iter().chain(&more).cloned().collect();
        Ok((Journal::make(path, known, &all, doubt)?, more))
    }
}

/// Entries, and the room each takes.
fn sized(entries: &[PendingEntry]) -> Vec<(&PendingEntry, usize)> {
    entries.iter().map(|pending| (pending, entry::pending(0, pending).len())).collect()
}

/// Writes a whole journal, all its room included, and says where the next entry goes.
fn fill(
    size: usize,
    file: &File,
    known: Option<KnownHead>,
    entries: &[&PendingEntry],
    doubt: &Doubt,
) -> Result<(Header, usize), JournalError> {
    let mut bytes = vec![0; layout::HEADER_BYTES];
    let of_doubt = entry::doubt(1, doubt);
    let first = 1 + u64::from(of_doubt.is_some());
    bytes.extend(of_doubt.unwrap_or_default());
    for (number, entry) in (first..).zip(entries) {
        bytes.extend(entry::pending(number, entry));
    }
    let used = bytes.len() - layout::HEADER_BYTES;
    if bytes.len() > size {
        return Err(JournalError::Full { size });
    }
    bytes.resize(size, 0);
    let acknowledged = first + entries.len() as u64 - 1;
    let mut header = Header { sequence: 0, done: 0, acknowledged, known, twofold: true };
    for sequence in 1..=2 {
        header.sequence = sequence;
        let at = header.offset();
        bytes[at..at + layout::SLOT].copy_from_slice(&header.bytes(size));
    }
    file.write_all_at(&bytes, 0)?;
    Ok((header, used))
}

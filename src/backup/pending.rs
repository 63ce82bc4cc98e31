//! What was pending when a backup was taken: it is in no database, so a restore that left it out would
//! lift a stop that was acknowledged.

use std::path::Path;

use super::BackupError;
use super::copying::copy_file;
use crate::data_dir::{DataDir, FoundJournal, JOURNAL, Journal};
use crate::display_text;

/// Adds the changes that were pending to the journal of a data folder. A folder that knows nothing of
/// a server (`has_copies` is false) gets the journal as it is.
pub fn carry(from: &Path, folder: &DataDir, has_copies: bool) -> Result<(), BackupError> {
    let (from, to) = (from.join(JOURNAL), folder.journal());
    if !has_copies {
        return copy_file(&from, &to).map_err(|error| BackupError::io("write it", &to, &error));
    }
    let carried = match Journal::look(&from) {
        FoundJournal::Good(carried) | FoundJournal::Old(carried) => carried.entries,
        _ => return Err(unread(&from)),
    };
    let found = folder.look_at_journal();
    let here = match &found {
        FoundJournal::Good(here) | FoundJournal::Old(here) => Some(here),
        FoundJournal::Absent => None,
        FoundJournal::Damaged { .. } | FoundJournal::OfNewerBuild { .. } if carried.is_empty() => {
            return Ok(());
        }
        FoundJournal::Damaged { .. } | FoundJournal::OfNewerBuild { .. } => {
            return Err(unread(&to));
        }
    };
    let known_here = here.map(|here| here.entries.as_slice()).unwrap_or_default();
    let is_here = |id: &str| known_here.iter().any(|entry| entry.id == id);
    let more: Vec<_> = carried.iter().filter(|entry| !is_here(&entry.id)).cloned().collect();
    if more.is_empty() {
        return Ok(());
    }
    let failed = |why: String| BackupError::Failed(format!("{}: {why}", display_text::path(&to)));
    let known = here.and_then(|here| here.known.clone());
    let doubt = here.map(|here| here.doubt.clone()).unwrap_or_default();
    let all = [known_here, &more].concat();
    let made =
        Journal::make(&to, known, &all, &doubt).map_err(|error| failed(error.to_string()))?;
    match all.iter().find(|entry| made.leaves_out(&entry.id)) {
        Some(_) => Err(failed("has no room for what was pending in the backup".to_owned())),
        None => Ok(()),
    }
}

fn unread(journal: &Path) -> BackupError {
    BackupError::Refused(format!(
        "{} does not read, and changes that are in no database would be lost: restore into an empty folder",
        display_text::path(journal)
    ))
}

//! Whose sessions are revoked, in a backup: without it a session that was stolen would be accepted
//! again where the keys move to another machine.

use std::path::Path;

use super::BackupError;
use super::copying::{copy_file, copy_when_whole};
use crate::auth::SessionRevocation;
use crate::data_dir::{FoundRevocations, REVOKED_SESSIONS, ReadRevocations, RevocationsFile};
use crate::display_text;

/// Copies the revocations into a backup.
pub async fn copy(data: &Path, folder: &Path) -> Result<(), BackupError> {
    let lost = "revocations of sessions would be missing";
    copy_when_whole(data, folder, REVOKED_SESSIONS, lost, |copy| match good(copy) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err("is gone".to_owned()),
        Err(why) => Err(why),
    })
    .await
    .map(|_| ())
}

/// Adds the revocations of a backup to those of a data folder. Digests under another key may be about
/// any user: then every session of before the newest of them is refused.
pub fn carry(from: &Path, data: &Path) -> Result<(), BackupError> {
    let (from, to) = (from.join(REVOKED_SESSIONS), data.join(REVOKED_SESSIONS));
    let failed = |error| BackupError::io("write it", &to, &error);
    let unread = |why| BackupError::Refused(format!("{} {why}", display_text::path(&from)));
    let Some(carried) = good(&from).map_err(unread)? else { return Ok(()) };
    let here = match RevocationsFile::look(&to) {
        FoundRevocations::Absent => return copy_file(&from, &to).map_err(failed),
        FoundRevocations::Good(here) => here,
        // The next start refuses every session of before.
        FoundRevocations::Damaged(_) | FoundRevocations::OfNewerBuild { .. } => return Ok(()),
    };
    let Some(key) = &here.key else { return Ok(()) };
    let more: Vec<SessionRevocation> = if carried.key.as_ref() == Some(key) {
        carried.revocations.into_iter().filter(|one| !here.revocations.contains(one)).collect()
    } else {
        let newest = carried.revocations.iter().map(|one| one.at_ms).max();
        newest.map(SessionRevocation::of_everyone).into_iter().collect()
    };
    if more.is_empty() {
        return Ok(());
    }
    let all = [here.revocations.as_slice(), &more].concat();
    let made = RevocationsFile::make(&to, key, &all, false);
    made.map(|_| ()).map_err(|error| BackupError::Failed(error.to_string()))
}

/// The revocations of a file that reads whole; `None` where there is no file.
fn good(path: &Path) -> Result<Option<ReadRevocations>, String> {
    match RevocationsFile::look(path) {
        FoundRevocations::Good(read) => Ok(Some(read)),
        FoundRevocations::Absent => Ok(None),
        FoundRevocations::Damaged(_) => Err("does not read".to_owned()),
        FoundRevocations::OfNewerBuild { .. } => Err("is of a newer build".to_owned()),
    }
}

//! Takes a backup.
//!
//! The journal is read before the database: what was live by then is in one of the two, and what is
//! in both counts once.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::copying::copy_when_whole;
use super::manifest::{Manifest, sums};
use super::{BackupError, check, revocations};
use crate::data_dir::{
    DATABASE, EVENTS, FoundJournal, FoundLastGood, JOURNAL, Journal, LAST_GOOD, LastGoodFile,
};
use crate::display_text;
use crate::ledger::KnownHead;
use crate::store::{Store, copy_database};

/// What a backup is taken of, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Options<'p> {
    pub data: &'p Path,
    /// A folder that is not there yet.
    pub to: &'p Path,
    pub with_events: bool,
    pub now_ms: i64,
}

/// Copies the databases of a data folder, in use or not, into a new folder. It has its name only
/// once it is whole, checked and on the disk.
pub async fn take(options: Options<'_>) -> Result<Manifest, BackupError> {
    let Options { data, to, .. } = options;
    let shown = display_text::path(to);
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Refused(format!("{shown} is there already; name a new folder")));
    }
    if !Store::leaves_sqlite(&data.join(DATABASE)) {
        return Err(BackupError::Refused(format!(
            "{} has no {DATABASE}; --data or TURNOUT_DATA names the server's data folder",
            display_text::path(data)
        )));
    }
    let unfinished = unfinished(to);
    DirBuilder::new().mode(0o700).create(&unfinished).map_err(|error| {
        let shown = display_text::path(&unfinished);
        match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Refused(format!(
                "{shown} is of a backup that goes on or did not end; remove it if none goes on"
            )),
            _ => BackupError::io("make the folder", &unfinished, &error),
        }
    })?;
    let taken = fill(&unfinished, options).await;
    let taken = taken.and_then(|manifest| {
        // The folder is synced under its name before it is said to be there.
        fs::rename(&unfinished, to)
            .and_then(|()| File::open(folder_of(to))?.sync_all())
            .map_err(|error| BackupError::io("give it its name", to, &error))?;
        Ok(manifest)
    });
    if taken.is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
    taken
}

async fn fill(folder: &Path, options: Options<'_>) -> Result<Manifest, BackupError> {
    let Options { data, with_events, now_ms, .. } = options;
    let (of_journal, pending) = journal(data, folder).await?;
    revocations::copy(data, folder).await?;
    let (_, last_good, _) = LastGoodFile::look(&data.join(LAST_GOOD));
    let of_last_good = match last_good {
        FoundLastGood::Good(last_good) => Some(last_good.known()),
        _ => None,
    };
    let parts: Vec<&KnownHead> = of_journal.iter().chain(&of_last_good).collect();
    copy(data, folder, DATABASE).await?;
    let known =
        check::database(folder, &parts, "it is not what the server serves: see `turnout problems`")
            .await?;
    let events = if with_events && Store::leaves_sqlite(&data.join(EVENTS)) {
        let copied = async {
            copy(data, folder, EVENTS).await?;
            check::events(folder).await
        };
        Some(copied.await.map_err(|error| {
            BackupError::Failed(format!("{error}; --without-events backs up everything else"))
        })?)
    } else {
        None
    };
    let manifest = Manifest::new(now_ms, known, pending, events, sums(folder)?);
    manifest.write(folder)?;
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| BackupError::io("sync it", folder, &error))?;
    Ok(manifest)
}

async fn copy(data: &Path, folder: &Path, name: &str) -> Result<(), BackupError> {
    let from = data.join(name);
    copy_database(&from, &folder.join(name)).await.map_err(|error| {
        BackupError::Failed(format!("{}: {}", display_text::path(&from), error.chain()))
    })
}

/// Copies the journal, and says which state it names and how many changes are pending in it.
async fn journal(data: &Path, folder: &Path) -> Result<(Option<KnownHead>, usize), BackupError> {
    let lost = "changes that are not in the database yet would be missing";
    let look = |copy: &Path| match Journal::look(copy) {
        FoundJournal::Good(contents) | FoundJournal::Old(contents) => {
            Ok((contents.known, contents.entries.len()))
        }
        FoundJournal::Absent => Ok((None, 0)),
        FoundJournal::Damaged { why, .. } => Err(why),
        FoundJournal::OfNewerBuild { .. } => Err("is of a newer build".to_owned()),
    };
    Ok(copy_when_whole(data, folder, JOURNAL, lost, look).await?.unwrap_or((None, 0)))
}

/// What a backup is called until it is whole. A slash at the end does not count.
fn unfinished(to: &Path) -> PathBuf {
    let mut name = to.components().collect::<PathBuf>().into_os_string();
    name.push(".unfinished");
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

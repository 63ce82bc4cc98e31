//! Takes a backup.
//!
//! The journal is read before the database: what was live by then is in one of the two, and what is
//! in both counts once.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use super::manifest::{Manifest, sums};
use super::{BackupError, check};
use crate::data_dir::{
    DATABASE, EVENTS, FoundJournal, FoundLastGood, JOURNAL, Journal, LAST_GOOD, LastGoodFile,
};
use crate::display_text;
use crate::ledger::KnownHead;
use crate::regular_file;
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

/// Copies the journal, and says which state it names and how many changes are pending in it. One
/// that is written to meanwhile may be read by halves, so it is read again.
async fn journal(data: &Path, folder: &Path) -> Result<(Option<KnownHead>, usize), BackupError> {
    const ATTEMPTS: u32 = 10;
    const BETWEEN: Duration = Duration::from_millis(100);
    let (from, to) = (data.join(JOURNAL), folder.join(JOURNAL));
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        match copy_file(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let _ = fs::remove_file(&to);
                return Ok((None, 0));
            }
            Err(error) => return Err(BackupError::io("copy it", &from, &error)),
            Ok(()) => {}
        }
        match Journal::look(&to) {
            FoundJournal::Good(contents) | FoundJournal::Old(contents) => {
                return Ok((contents.known, contents.entries.len()));
            }
            FoundJournal::Absent => return Ok((None, 0)),
            FoundJournal::Damaged { why: this, .. } => why = this,
            FoundJournal::OfNewerBuild { .. } => why = "is of a newer build".to_owned(),
        }
        sleep(BETWEEN).await;
    }
    Err(BackupError::Failed(format!(
        "{} {why}: changes that are not in the database yet would be missing; see `turnout problems`",
        display_text::path(&from)
    )))
}

/// Copies a file into a new one, which is synced.
pub fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut read = regular_file::open(from)?;
    let mut written = regular_file::make_own(to)?;
    io::copy(&mut read, &mut written)?;
    written.sync_all()
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

//! Puts a backup into a data folder that no server holds.
//!
//! What lies there keeps another name, and nothing is deleted. What names a later state stays at
//! its place: `last-good`, the journal, and the record of heads. By these a start sees that the
//! database is older, holds it, and lets no stop go.

use std::path::{Path, PathBuf};

use super::copying::copy_file;
use super::manifest::Manifest;
use super::{BackupError, check, pending, revocations};
use crate::control::{Forecast, forecast};
use crate::data_dir::{
    DATABASE, DataDir, DataError, EVENTS, FoundJournal, FoundLastGood, JOURNAL, LAST_GOOD,
    LastGoodFile, REVOKED_SESSIONS,
};
use crate::display_text;
use crate::ledger::KnownHead;
use crate::moment::utc;
use crate::store::{Store, move_database_aside, put_in_place, remove_database};

/// What a restore did, and what comes next.
#[derive(Debug)]
pub struct Restored {
    pub manifest: Manifest,
    /// What was there before, under its new names.
    pub aside: Vec<PathBuf>,
    /// Whether it is known how far readers of the streams came.
    pub has_heads: bool,
    pub forecast: Forecast,
}

/// Restores a backup. `replace` allows it where something of ours lies in the data folder.
pub async fn restore(
    from: &Path,
    data: &Path,
    replace: bool,
    now_ms: i64,
) -> Result<Restored, BackupError> {
    let manifest = Manifest::read(from)?;
    manifest.check_files(from)?;
    check::database(from, &[&manifest.known], "take another backup").await?;
    if manifest.has(EVENTS) {
        check::events(from).await?;
    }
    let folder = DataDir::open(data).map_err(|error| match error {
        DataError::InUse(_) => BackupError::Refused(format!("{error}: stop it first")),
        other => BackupError::Failed(other.to_string()),
    })?;
    let (_, last_good, earlier) = LastGoodFile::look(&folder.last_good());
    let journal = folder.look_at_journal();
    let has_copies = !matches!(
        (&last_good, &earlier, &journal),
        (FoundLastGood::Absent, FoundLastGood::Absent, FoundJournal::Absent)
    );
    let has_events = Store::leaves_sqlite(&folder.events());
    let is_ours = has_copies || has_events || Store::leaves_sqlite(&folder.database());
    if is_ours && !replace {
        return Err(BackupError::Refused(format!(
            "{} has the state of a server; --replace restores all the same, and keeps what is there under another name",
            display_text::path(data)
        )));
    }
    let of_last_good = match last_good {
        FoundLastGood::Good(last_good) => Some(last_good.known()),
        _ => None,
    };
    knows_what_goes(&folder, from, of_last_good.as_ref()).await?;
    // First: where this fails, nothing has moved.
    if manifest.has(REVOKED_SESSIONS) {
        revocations::carry(from, data)?;
    }
    // All copies stand beside their places before one of them takes its place.
    let databases = [DATABASE, EVENTS].into_iter().filter(|name| manifest.has(name));
    let databases: Vec<PathBuf> = databases.map(|name| data.join(name)).collect();
    for to in &databases {
        copy_beside(&from.join(to.file_name().unwrap_or_default()), to)?;
    }
    if manifest.has(JOURNAL) {
        pending::carry(from, &folder, has_copies)?;
    }
    let mut aside = Vec::new();
    for to in &databases {
        aside.extend(take_place(to, now_ms)?);
    }
    let has_heads = Store::leaves_sqlite(&data.join(HEADS));
    let forecast = forecast(&folder).await;
    Ok(Restored { manifest, aside, has_heads, forecast })
}

/// The record of heads beside the database of events.
const HEADS: &str = "events-heads.db";

/// The database that goes may know of stops that nothing else knows. Then it does not go: a start
/// and a stop in good order write them down beside it.
async fn knows_what_goes(
    folder: &DataDir,
    from: &Path,
    last_good: Option<&KnownHead>,
) -> Result<(), BackupError> {
    // What does not read says nothing, now as at any start.
    let Ok(store) = Store::open_sqlite_to_read(&folder.database()).await else { return Ok(()) };
    let known = store.identify(&[]).await;
    store.release().await;
    let Ok(identity) = known else { return Ok(()) };
    let now = identity.known;
    let is_kept = last_good
        .is_some_and(|kept| kept.epoch == now.epoch && kept.head.revision >= now.head.revision);
    if is_kept {
        return Ok(());
    }
    let backup = Store::open_sqlite_to_read(&from.join(DATABASE)).await;
    let backup = backup.map_err(|error| BackupError::Failed(error.chain()))?;
    let is_part = backup.holds(&now).await;
    backup.release().await;
    if is_part.is_ok_and(|is_part| is_part) {
        return Ok(());
    }
    Err(BackupError::Refused(format!(
        "{} is at revision {}, and {LAST_GOOD} beside it is not: stops made since would be forgotten. Start the server there, \
         stop it with SIGTERM, and restore then",
        display_text::path(&folder.database()),
        now.head.revision
    )))
}

/// Copies a database to beside its place.
fn copy_beside(from: &Path, to: &Path) -> Result<(), BackupError> {
    let beside = beside(to);
    let copied = remove_database(&beside).and_then(|()| copy_file(from, &beside));
    copied.map_err(|error| BackupError::io("write the copy", &beside, &error))
}

fn beside(to: &Path) -> PathBuf {
    to.with_extension("db.new")
}

/// Moves the copy beside a database to its place. What was there keeps another name, which is
/// returned.
fn take_place(to: &Path, now_ms: i64) -> Result<Option<PathBuf>, BackupError> {
    let failed = |error| BackupError::io("put the copy in its place", to, &error);
    let aside = Store::leaves_sqlite(to).then(|| aside_name(to, now_ms));
    if let Some(aside) = &aside {
        move_database_aside(to, aside).map_err(failed)?;
    }
    put_in_place(&beside(to), to).map_err(failed)?;
    Ok(aside)
}

/// A name that nothing has: `turnout.db.replaced-20261128T094100Z`.
fn aside_name(path: &Path, now_ms: i64) -> PathBuf {
    let at: String = utc(now_ms).chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let name = |count: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".replaced-{at}"));
        if count > 0 {
            name.push(format!("-{count}"));
        }
        PathBuf::from(name)
    };
    let free = |path: &PathBuf| !Store::leaves_sqlite(path);
    (0..u32::MAX).map(name).find(free).unwrap_or_else(|| name(u32::MAX))
}

//! Whether a backup is whole.

use std::path::Path;
use std::time::Duration;

use super::{BackupError, EventCounts};
use crate::data_dir::{DATABASE, EVENTS};
use crate::display_text;
use crate::feeds::check_copy_of_events;
use crate::ledger::KnownHead;
use crate::store::{ExpectedHistory, Store};

/// How long a disk may be silent during a check.
const SILENCE: Duration = Duration::from_secs(60);

/// Reads every page and every revision of a copy of the database, and returns its newest state.
/// Each of these states has to be part of its history, else `not_its` says what to do.
pub async fn database(
    folder: &Path,
    parts: &[&KnownHead],
    not_its: &str,
) -> Result<KnownHead, BackupError> {
    let path = folder.join(DATABASE);
    let shown = display_text::path(&path);
    let failed = |why: String| BackupError::Failed(format!("{shown}: {why}"));
    let store = Store::open_sqlite_to_read(&path).await.map_err(|error| failed(error.chain()))?;
    let checked = async {
        let identity = store.identify(parts).await.map_err(|error| failed(error.chain()))?;
        if let Some(fault) = identity.fault {
            return Err(failed(format!("it is not of one moment: {fault}")));
        }
        if let Some((part, _)) = parts.iter().zip(&identity.holds).find(|(_, is_held)| !**is_held) {
            let revision = part.head.revision;
            return Err(failed(format!(
                "it is at revision {} and lacks revision {revision} as this node served it; {not_its}",
                identity.known.head.revision
            )));
        }
        store.check_pages().await.map_err(|error| failed(error.chain()))?;
        let expected = ExpectedHistory {
            epoch: Some(identity.known.epoch.clone()),
            head: Some(identity.known.head),
        };
        let report = store.verify(&expected, SILENCE).await;
        let report = report.map_err(|error| failed(error.chain()))?;
        match report.faults.first() {
            None => Ok(identity.known),
            Some(fault) => Err(failed(format!(
                "its history is not sound ({} faults, first: {}); `turnout history --verify` names them",
                report.faults.len(),
                display_text::line(fault)
            ))),
        }
    };
    let checked = checked.await;
    store.release().await;
    checked
}

/// Reads every event of a copy.
pub async fn events(folder: &Path) -> Result<EventCounts, BackupError> {
    let path = folder.join(EVENTS);
    let totals = check_copy_of_events(&path)
        .await
        .map_err(|error| BackupError::Failed(format!("{}: {error}", display_text::path(&path))))?;
    Ok(EventCounts { streams: totals.streams, events: totals.events })
}

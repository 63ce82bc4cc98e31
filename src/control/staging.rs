//! Writes that have no limit of their own: the database must answer within a time that grows with what
//! it has to write.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::ledger::Blobs;
use crate::store::{Commit, Progress, SLOWEST_DISK_BYTES_A_SECOND, STEP_BYTES, Store, StoreError};

/// How long the database may take to answer, beside what the disk needs.
const SILENCE_TIMEOUT: Duration = Duration::from_millis(1500);

/// What is written for longer than this is reported.
const REPORTED_AFTER: Duration = Duration::from_secs(1);

/// How long a commit may take.
pub(super) fn limit_of(commit: &Commit<'_>) -> Duration {
    SILENCE_TIMEOUT + time_to_write(commit.bytes())
}

/// Writes the blobs of a revision before the revision, step by step, and reports how far that is once
/// it takes long. An error is the database's, or `None` where the database did not answer.
pub(super) async fn stage(
    store: &Store,
    blobs: &Blobs,
    report: impl Fn(Progress),
) -> Result<(), Option<StoreError>> {
    let begun = Instant::now();
    let mut staging = store.stage_blobs(blobs).await;
    while !staging.is_done() {
        timeout(SILENCE_TIMEOUT + time_to_write(STEP_BYTES as u64), staging.step())
            .await
            .map_err(|_| None)??;
        if begun.elapsed() > REPORTED_AFTER {
            report(staging.progress());
        }
    }
    Ok(())
}

fn time_to_write(bytes: u64) -> Duration {
    Duration::from_millis(bytes * 1000 / SLOWEST_DISK_BYTES_A_SECOND)
}

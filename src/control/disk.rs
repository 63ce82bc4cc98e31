//! Whether the disk of the data folder has room, and who may write to the folder.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::sleep;

use super::{Inner, Problem, ProblemKind};
use crate::data_dir::{DiskSpace, keep_to_owner};

/// How often the disk is checked.
const DISK_CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// The longest wait for the disk's answer.
const DISK_TIMEOUT: Duration = Duration::from_secs(2);

/// Checks the disk's free space and the folder's permissions until the coordinator is dropped.
pub(super) async fn watch_disk(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        strong.look_at_disk().await;
        drop(strong);
        sleep(DISK_CHECK_INTERVAL).await;
    }
}

impl Inner {
    async fn look_at_disk(&self) {
        let data = self.data.clone();
        let look = move || (DiskSpace::of(data.path()), keep_to_owner(data.path()));
        // A disk that does not answer is reported by the parts that write to it.
        let Some((space, rights)) = self.disk.within(DISK_TIMEOUT, look).await else {
            return;
        };
        if let Ok(rights) = rights {
            let trouble = |message| {
                Problem {
                kind: ProblemKind::FolderRights,
                subject: None,
                message,
                hint: "make it the folder of the user that turnout runs as (chown), or take the others' rights (chmod o-w)"
                    .to_owned(),
            }
            };
            self.trouble(ProblemKind::FolderRights, rights.map(trouble).into_iter().collect());
        }
        let Ok(space) = space else { return };
        let is_low = space.is_low(self.problems.has(ProblemKind::DiskSpace));
        let trouble = || {
            Problem {
            kind: ProblemKind::DiskSpace,
            subject: None,
            // Without the current number: the message would be new each time.
            message: format!(
                "the disk of {} is nearly full: less than {} is free",
                self.data.path().display(),
                in_words(space.low_bytes())
            ),
            hint: "make room; with none left only stopping and lowering are taken, and kept in the journal".to_owned(),
        }
        };
        self.trouble(ProblemKind::DiskSpace, is_low.then(trouble).into_iter().collect());
    }
}

fn in_words(bytes: u64) -> String {
    match bytes / (1024 * 1024) {
        0 => format!("{} KiB", bytes / 1024),
        mib => format!("{mib} MiB"),
    }
}

//! Watches whether what is live can be saved: a refused commit, a change that has been pending for
//! long, a disk that is nearly full. Each is a problem with its cause until it is over, however
//! long that takes.

use std::io;
use std::sync::Weak;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::commit::{CommitError, READ_TIMEOUT};
use super::lock_order::Lock;
use super::{Database, Inner, Problem, ProblemKind};
use crate::clock;
use crate::data_dir::{DiskSpace, keep_to_owner};
use crate::time_limit::OneAtATime;

/// A change that is pending for longer is a problem: the database takes most changes within
/// milliseconds.
const PENDING_TOO_LONG_MS: i64 = 3_000;
/// How often the disk is checked.
const DISK_CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// The longest wait for the disk's answer.
const DISK_TIMEOUT: Duration = Duration::from_secs(2);

/// What is known about saving.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// Why the last commit was refused, until one is taken.
    refused: Lock<Option<String>>,
    /// One check of the disk at a time: it may hang.
    looking: OneAtATime<(io::Result<DiskSpace>, io::Result<Option<String>>)>,
}

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
    /// Notes the result of a commit. A database out of reach is a problem of its own.
    pub(super) fn note_commit(&self, done: &Result<u64, CommitError>) {
        match done {
            Ok(_) => *self.saving.refused.lock() = None,
            // Tried again at once.
            Err(CommitError::Conflict) => return,
            Err(not) if self.store.is_open() => *self.saving.refused.lock() = Some(not.to_string()),
            Err(_) => return,
        }
        self.report_unsaved();
    }

    /// Whether the database refused the last commit, as it does when its disk is full.
    pub(super) fn is_refused(&self) -> bool {
        self.saving.refused.lock().is_some()
    }

    /// Tries whether the database accepts a write, where it refused the last commit and nothing is
    /// pending that is tried anyway.
    pub(super) async fn look_at_saving(&self) {
        let was_refused = self.saving.refused.lock().is_some();
        let waits = self.files_wait() || !self.state().pending().is_empty();
        if let Some(store) = self.store.get().filter(|_| was_refused && !waits)
            && let Ok(Ok(())) = timeout(READ_TIMEOUT, store.try_writing()).await
        {
            *self.saving.refused.lock() = None;
        }
        self.report_unsaved();
    }

    fn report_unsaved(&self) {
        let refused = self.saving.refused.lock().clone();
        let since = self.state().pending().first().map(|pending| pending.at_ms);
        let is_late = since.is_some_and(|since| clock::wall_ms() - since > PENDING_TOO_LONG_MS);
        let out_of_reach = || match self.store.database() {
            Database::Down { why, .. } | Database::Held { why, .. } => why,
            Database::Up => "the database has not taken it in time".to_owned(),
        };
        let message = match refused {
            Some(why) if since.is_some() => {
                Some(format!("what was stopped or lowered is live and not saved yet: {why}"))
            }
            Some(why) => Some(format!("a change was refused, as it could not be saved: {why}")),
            None if is_late => Some(format!(
                "what was stopped or lowered is live and not saved yet: {}",
                out_of_reach()
            )),
            None => None,
        };
        let data = self.data.path().display();
        let trouble = |message| Problem {
            kind: ProblemKind::Unsaved,
            subject: None,
            message,
            hint: format!(
                "see that {data} can be written to and has room; what waits is saved by itself then"
            ),
        };
        self.trouble(ProblemKind::Unsaved, message.map(trouble).into_iter().collect());
    }

    async fn look_at_disk(&self) {
        let data = self.data.clone();
        let look = move || (DiskSpace::of(data.path()), keep_to_owner(data.path()));
        // A disk that does not answer is reported by the parts that write to it.
        let Some((space, rights)) = self.saving.looking.within(DISK_TIMEOUT, look).await else {
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

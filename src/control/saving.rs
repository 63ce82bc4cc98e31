//! Watches whether what is live can be saved: a refused commit, a change that has been pending for
//! long. Each is a problem with its cause until it is over, however long that takes.

use tokio::time::timeout;

use super::committer::{CommitError, READ_TIMEOUT};
use super::{Database, Inner, Problem, ProblemKind};
use crate::clock;

/// A change that is pending for longer is a problem: the database takes most changes within
/// milliseconds.
const PENDING_TOO_LONG_MS: i64 = 3_000;

impl Inner {
    /// Notes the result of a commit. A database out of reach is a problem of its own.
    pub(super) fn note_commit(&self, done: &Result<u64, CommitError>) {
        match done {
            Ok(_) => *self.refused.lock() = None,
            // Tried again at once.
            Err(CommitError::Conflict) => return,
            Err(not) if self.store.is_open() => *self.refused.lock() = Some(not.to_string()),
            Err(_) => return,
        }
        self.report_unsaved();
    }

    /// Whether the database refused the last commit, as it does when its disk is full.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.lock().is_some()
    }

    /// Tries whether the database accepts a write, where it refused the last commit. Where something
    /// waits to be committed, that is the try.
    pub(super) async fn look_at_saving(&self) {
        let was_refused = self.refused.lock().is_some();
        let waits = self.files_wait() || !self.state().pending().is_empty();
        if let Some(store) = self.store.get().filter(|_| was_refused && !waits)
            && let Ok(Ok(())) = timeout(READ_TIMEOUT, store.try_writing()).await
        {
            *self.refused.lock() = None;
        }
        self.report_unsaved();
    }

    fn report_unsaved(&self) {
        let refused = self.refused.lock().clone();
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
            Some(why) => Some(format!("the database did not take a change: {why}")),
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
}

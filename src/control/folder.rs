//! Whether the data folder that is held is still the one at its path.
//!
//! Were it deleted, moved or replaced, everything would go on being written where no start looks.
//! So what is at the path is held instead, and what must survive is written there anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::{Inner, Problem, ProblemKind};
use crate::data_dir::FolderAtPath;

/// How long looking at it may take.
const LOOK: Duration = Duration::from_millis(700);

impl Inner {
    /// Holds the folder at the path; an error says why it must not be written to.
    pub(super) async fn look_at_folder(self: &Arc<Self>) -> Result<(), String> {
        let inner = self.clone();
        match timeout(LOOK, tokio::task::spawn_blocking(move || inner.hold_folder())).await {
            Ok(Ok(held)) => held,
            // Nothing is known of a disk that does not answer: what is written to it fails by
            // itself.
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    /// The same, on a thread that may wait for the disk.
    pub(super) fn hold_folder(&self) -> Result<(), String> {
        let path = self.data.path().display();
        match self.data.hold().map_err(|error| error.to_string()) {
            Ok(FolderAtPath::Same) => {
                // Told until everything is in the other folder, its database too.
                let is_believed =
                    self.witnesses.adopted_in.load(Ordering::Relaxed) == self.data.number();
                if is_believed && self.store.is_up() {
                    self.trouble(ProblemKind::DataFolder, Vec::new());
                }
                Ok(())
            }
            Ok(FolderAtPath::Another) => {
                let message =
                    format!("the data folder {path} was deleted or replaced while it was in use");
                let hint = "the folder that is there now is used, and what is live is kept in it; bring the database back";
                self.trouble(ProblemKind::DataFolder, vec![self.of_folder(message, hint)]);
                self.changed.notify_one();
                Ok(())
            }
            Err(why) => {
                let message =
                    format!("the data folder {path} was replaced and cannot be held: {why}");
                let hint = "nothing is saved until it can be; end the other server, or bring the folder back";
                self.trouble(ProblemKind::DataFolder, vec![self.of_folder(message, hint)]);
                Err(why)
            }
        }
    }

    fn of_folder(&self, message: String, hint: &str) -> Problem {
        Problem { kind: ProblemKind::DataFolder, subject: None, message, hint: hint.to_owned() }
    }
}

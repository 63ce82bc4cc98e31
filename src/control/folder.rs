//! Checks whether the locked data folder is still the one at its path.
//!
//! If the folder was deleted, moved or replaced, every write would go where no start looks. So the
//! folder now at the path is locked instead, and the data that must survive is written there anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Inner, Problem, ProblemKind};
use crate::data_dir::FolderAtPath;

/// The longest wait for this check.
const CHECK_TIMEOUT: Duration = Duration::from_millis(700);

impl Inner {
    /// Locks the folder at the path. An error says why the folder must not be written to.
    pub(super) async fn look_at_folder(self: &Arc<Self>) -> Result<(), String> {
        let inner = self.clone();
        let looked = self.folder_check.within(CHECK_TIMEOUT, move || inner.hold_folder()).await;
        // A disk that does not answer reveals nothing; writes to it fail by themselves.
        looked.unwrap_or(Ok(()))
    }

    /// Like `look_at_folder`, on a thread that may wait for the disk.
    pub(super) fn hold_folder(&self) -> Result<(), String> {
        let path = self.data.path().display();
        match self.data.hold().map_err(|error| error.to_string()) {
            Ok(FolderAtPath::Same) => {
                // Reported until everything is in the other folder, with its database.
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

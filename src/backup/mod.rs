//! Backups: copies of the databases that are taken while the server runs, and put back into a data
//! folder that no server holds. Floor 3.
//!
//! | file | what it does |
//! |---|---|
//! | `take` | copies, checks the copy, and only then gives it its name |
//! | `restore` | puts a copy into a data folder, and keeps what was there |
//! | `pending` | what was live and in no database yet |
//! | `revocations` | whose sessions are revoked |
//! | `copying` | copies files, and again until they read whole |
//! | `check` | whether a backup is whole: every page, row and event |
//! | `manifest` | what a backup says of itself |
//!
//! A backup opens nothing: it has no token, and no key that signs. What knows of later states
//! (`last-good`, the journal of a folder, the record of heads) is left where it is, so that a start
//! sees that the copy is older.

mod check;
mod copying;
mod manifest;
mod pending;
mod restore;
mod revocations;
mod take;

use std::io;
use std::path::Path;

use crate::display_text;

pub use manifest::{EventCounts, Manifest};
pub use restore::{Restored, restore};
pub use take::{Options, take};

/// Why a backup is not taken, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing was changed: a person decides.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
}

impl BackupError {
    fn io(doing: &str, path: &Path, error: &io::Error) -> BackupError {
        BackupError::Failed(format!("{}: cannot {doing}: {error}", display_text::path(path)))
    }
}

//! Which token of `admin.token` is accepted, and which have ended.

use crate::data_dir::{AdminTokenFile, FileId};
use crate::ledger::ContentHash;

/// The file and the token that is accepted; locked while the file is read or the token is ended.
#[derive(Debug, Default)]
pub(super) struct AdminToken {
    /// The file with the accepted token, and the folder where it was last seen.
    pub seen: Option<(AdminTokenFile, Option<FileId>)>,
    /// What the last reading found, if that was not the accepted token.
    pub doubted: Option<AdminTokenFile>,
    /// The tokens that were revoked or whose file was deleted: none of them is accepted again.
    pub ended: EndedAdminTokens,
}

/// What became of the file of a revoked token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminTokenEnd {
    /// A process that starts later does not accept it either: the file no longer holds it, or its end
    /// is written down beside it.
    Replaced,
    /// The file still holds it, and its end could not be written down: this process no longer
    /// accepts it, but a process that starts later would.
    InMemory,
}

impl AdminToken {
    pub fn is_of_another_folder(&self, folder: Option<FileId>) -> bool {
        self.seen.as_ref().is_some_and(|(_, seen_in)| *seen_in != folder)
    }
}

/// How many ended tokens are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 1000;

/// The fingerprints of the tokens that were revoked or deleted, the oldest first.
#[derive(Debug, Default)]
pub(super) struct EndedAdminTokens {
    pub fingerprints: Vec<ContentHash>,
    /// Whether a fingerprint is not yet in the file.
    pub is_unsaved: bool,
}

impl EndedAdminTokens {
    /// Whether this token has ended.
    pub(super) fn holds(&self, token: &str) -> bool {
        self.fingerprints.contains(&ContentHash::of(token.as_bytes()))
    }

    /// Adds a token that ended now, if there was one.
    pub(super) fn add(&mut self, ended: Option<ContentHash>) {
        let Some(fingerprint) = ended else { return };
        self.fingerprints.retain(|known| *known != fingerprint);
        self.fingerprints.push(fingerprint);
        let over = self.fingerprints.len().saturating_sub(REMEMBERED);
        self.fingerprints.drain(..over);
        self.is_unsaved = true;
    }
}

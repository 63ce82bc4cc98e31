//! Whose sessions are revoked, and what of that is still to be written.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::lock_order::Lock;
use crate::auth::{DigestKey, RevokedSessions, SessionRevocation};
use crate::data_dir::{FoundRevocations, ReadRevocations, RevocationsFile};
use crate::moment::Moment;

/// How long a start waits for the file.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// So many wait to be written; with more, the file is made anew.
const MAX_WAITING: usize = 16 * 1024;

/// Owns what is revoked, and what of it is still to be written.
#[derive(Debug)]
pub(super) struct SessionRevocations {
    /// What counts.
    pub set: Arc<RevokedSessions>,
    waiting: Lock<WaitingRevocations>,
    /// Notified when something is to be written.
    pub wake: Notify,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct WaitingRevocations {
    pub revocations: Vec<SessionRevocation>,
    /// Told whether these are durable.
    pub askers: Vec<oneshot::Sender<bool>>,
    /// More came than are kept in a row: all of the set is to be written.
    pub too_many: bool,
}

impl SessionRevocations {
    /// Reads what is there. What does not read may have revoked any session of any user.
    pub async fn read(path: &Path, now: Moment) -> SessionRevocations {
        let path = path.to_owned();
        let looking = spawn_blocking(move || RevocationsFile::look(&path));
        let found = match timeout(READ_TIMEOUT, looking).await {
            Ok(Ok(found)) => found,
            // It does not answer in time.
            Ok(Err(_)) | Err(_) => FoundRevocations::Damaged(ReadRevocations::default()),
        };
        let key = found.read().and_then(|read| read.key.clone());
        let set = RevokedSessions::new(key.unwrap_or_else(DigestKey::random));
        take_in(&set, &found, now);
        if matches!(found, FoundRevocations::Damaged(_) | FoundRevocations::OfNewerBuild { .. }) {
            set.remember(SessionRevocation::of_everyone(now.wall_ms), now);
        }
        let wake = Notify::new();
        // Written, or looked at, at once.
        wake.notify_one();
        SessionRevocations { set: Arc::new(set), waiting: Lock::default(), wake }
    }

    /// What is to be written now.
    pub fn take_waiting(&self) -> WaitingRevocations {
        std::mem::take(&mut *self.waiting.lock())
    }

    /// Has a revocation written; the answer is whether it is durable.
    pub fn wait_for(&self, revocation: SessionRevocation) -> oneshot::Receiver<bool> {
        let (asker, told) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if waiting.askers.len() >= MAX_WAITING {
            *waiting = WaitingRevocations { too_many: true, ..Default::default() };
        }
        waiting.revocations.push(revocation);
        waiting.askers.push(asker);
        drop(waiting);
        self.wake.notify_one();
        told
    }
}

/// Adds what reads of a file. With another key it may be about any user.
pub(super) fn take_in(set: &RevokedSessions, found: &FoundRevocations, now: Moment) {
    let Some(read) = found.read() else { return };
    if read.key.as_ref() == Some(set.key()) {
        set.remember_all(&read.revocations, now);
    } else if let Some(newest) = read.revocations.iter().map(|one| one.at_ms).max() {
        set.remember_all(&[SessionRevocation::of_everyone(newest)], now);
    }
}

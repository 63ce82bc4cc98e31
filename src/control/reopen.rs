//! Opens a lost database again, once it can be read and is the newest state.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::committer::Committer;
use super::recovery::{
    Copies, DatabaseFound, Decision, Foreign, decide, look_at_database, why_held,
};
use super::{Database, Inner};
use crate::store::{Store, StoreError};

/// The longest wait for a lost database to open, and then for each part of it that is read.
const OPEN_TIMEOUT: Duration = Duration::from_millis(1500);
/// The part of that time that the check of its pages may take.
const PAGE_CHECK_TIMEOUT: Duration = Duration::from_millis(700);
/// How long until the pages of a damaged database are checked again.
const PAGE_CHECK_INTERVAL: Duration = Duration::from_secs(30);

impl Inner {
    /// Tries the lost database once.
    pub(super) async fn reopen(self: &Arc<Self>, committer: &mut Committer) {
        if !self.let_go_of_lost(committer).await {
            return;
        }
        let mut copies = self.copies();
        // Whatever the database holds: a person decides about the first, and the check of the pages
        // about the second.
        if !copies.journal.doubt.is_none() || self.witnesses.is_unsound.load(Ordering::Relaxed) {
            return;
        }
        let found = self.look_in_time(committer, &copies).await;
        let since_ms = self.clock.wall_ms();
        let (without_foreign, foreign) = copies.without_foreign(&found.witness());
        if foreign != Foreign::default() {
            copies = without_foreign;
            self.distrust_foreign(foreign, &copies).await;
        }
        let decision = decide(&found.witness(), &copies);
        let opened = match &decision {
            Decision::Serve => Some(self.open_store(OPEN_TIMEOUT).await),
            Decision::First => Some(self.make_store(OPEN_TIMEOUT).await),
            Decision::Hold { .. } => None,
        };
        match opened {
            Some(Ok(opened)) => {
                self.adopt_store(committer, opened, &[]).await;
                if let DatabaseFound::Good { store, pages: Some(pages), .. } = found {
                    self.await_pages(store, pages);
                }
                let recording = self.clone();
                // Ingests the files that waited, after the committer is free.
                tokio::spawn(async move { recording.record().await });
            }
            Some(Err(why)) => self.set_database(Database::Down { why, since_ms }),
            None => {
                let is_held = self.is_held() || matches!(found, DatabaseFound::Good { .. });
                let why = if is_held { why_held(&found, &copies, &decision) } else { found.why() };
                self.set_database(if is_held {
                    Database::Held { why, since_ms }
                } else {
                    Database::Down { why, since_ms }
                });
            }
        }
    }

    /// Looks at the lost database, unless an earlier look at it hangs. What that one finds in the end
    /// is of another moment, and does not count.
    async fn look_in_time(&self, committer: &mut Committer, copies: &Copies) -> DatabaseFound {
        let late = "the database does not answer in time";
        if committer.late_look.as_ref().is_some_and(|look| !look.is_finished()) {
            return DatabaseFound::OutOfReach(late.to_owned());
        }
        let (path, copies) = (self.data.database(), copies.clone());
        let look = async move { look_at_database(&path, &copies, PAGE_CHECK_TIMEOUT).await };
        let mut look = tokio::spawn(look);
        match timeout(OPEN_TIMEOUT, &mut look).await {
            Ok(found) => found.unwrap_or_else(|ended| DatabaseFound::OutOfReach(ended.to_string())),
            Err(_) => {
                committer.late_look = Some(look.abort_handle());
                DatabaseFound::OutOfReach(late.to_owned())
            }
        }
    }

    /// Stops using a database whose pages turn out to be damaged, until they are sound.
    pub(super) fn await_pages(
        self: &Arc<Self>,
        store: Arc<Store>,
        pages: JoinHandle<Result<(), StoreError>>,
    ) {
        let inner = Arc::downgrade(self);
        tokio::spawn(async move {
            let checked = pages.await;
            drop(store);
            let mut fault = checked.unwrap_or(Ok(())).err().filter(StoreError::is_damage);
            while let (Some(error), Some(inner)) = (fault, inner.upgrade()) {
                inner.distrust(error.chain()).await;
                let path = inner.data.database();
                drop(inner);
                sleep(PAGE_CHECK_INTERVAL).await;
                fault = check_pages(&path).await.err();
            }
            if let Some(inner) = inner.upgrade() {
                inner.witnesses.is_unsound.store(false, Ordering::Relaxed);
                inner.wake.notify_one();
            }
        });
    }

    async fn distrust(self: &Arc<Self>, why: String) {
        let mut committer = self.committer.lock().await;
        if !self.witnesses.is_unsound.swap(true, Ordering::Relaxed) {
            self.lose(&mut committer, &why);
            self.set_database(Database::Held { why, since_ms: self.clock.wall_ms() });
        }
    }

    /// Whether the files of the lost database are released.
    async fn let_go_of_lost(&self, committer: &mut Committer) -> bool {
        let Some(lost) = committer.lost.take() else { return true };
        match Arc::try_unwrap(lost) {
            Ok(store) => {
                // The thread of a disk that hangs waits for it alone.
                let _ = timeout(OPEN_TIMEOUT, store.release()).await;
                true
            }
            Err(in_use) => {
                committer.lost = Some(in_use);
                false
            }
        }
    }
}

async fn check_pages(path: &Path) -> Result<(), StoreError> {
    Store::open_sqlite_to_read(path).await?.check_pages().await
}

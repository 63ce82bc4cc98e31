//! Retries for as long as it takes: looking after the database, committing pending changes, expiries,
//! saving the last good state.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::committer::{Committer, LATE, READ_TIMEOUT};
use super::{Database, Inner, Problem, ProblemKind};
use crate::data_dir::Beside;
use crate::ledger::{Credential, KnownHead};
use crate::moment::LeapWatch;

/// How often the database's head is checked, and how often a lost database is tried.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// Changes within this time are saved together.
const COALESCE_DELAY: Duration = Duration::from_millis(250);

/// Maintains the database until the coordinator is dropped.
pub(super) async fn maintain_store(inner: Weak<Inner>, mut leaps: LeapWatch) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let woken = tokio::select! {
            () = strong.wake.notified() => true,
            () = sleep(CHECK_INTERVAL) => false,
        };
        strong.look_at_clock(&mut leaps);
        let folder = strong.look_at_folder().await;
        let mut committer = strong.committer.lock().await;
        match folder {
            Ok(()) => strong.look(&mut committer, woken).await,
            // A database that another server uses is not touched.
            Err(why) => strong.lose(&mut committer, &why),
        }
        strong.settle_credentials(&mut committer).await;
        if strong.replay(&mut committer).await.is_err() {
            // Callers that wait for a commit learn that there is none yet.
            strong.fast_path.dismiss_waiters();
        }
        strong.look_at_saving().await;
        let in_reach = strong.store.is_open();
        drop(committer);
        strong.look_at_journal().await;
        strong.settle_journal().await;
        if in_reach
            && (strong.compare_files.swap(false, Ordering::Relaxed)
                || strong.files_wait()
                || strong.can_retire().await)
        {
            strong.record().await;
        }
        let credentials = strong.served.credentials.borrow().clone();
        strong.look_at_ends(&credentials);
        strong.commit_widening_ends().await;
    }
}

/// Saves the last good state to disk after each change.
pub(super) async fn save_last_good_loop(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        // The wait has a limit, so that a coordinator that was dropped is released.
        if timeout(CHECK_INTERVAL, strong.changed.notified()).await.is_ok() {
            sleep(COALESCE_DELAY).await;
            if !strong.save_last_good().await {
                strong.changed.notify_one();
                sleep(CHECK_INTERVAL).await;
            }
        }
    }
}

impl Inner {
    /// Checks whether the database is still there, or is back.
    async fn look(self: &Arc<Self>, committer: &mut Committer, woken: bool) {
        let folder = self.data.number();
        match self.store.get() {
            Some(_) if woken => {}
            Some(store) => match timeout(READ_TIMEOUT, store.head()).await {
                Ok(Ok((_, head))) => {
                    self.store.staleness.note(true);
                    let is_continued = head == self.state().catalog.head
                        || self.catch_up(committer, &store).await.is_ok();
                    if is_continued {
                        // Its files are the ones at the path: also in a folder of hard links that
                        // replaced the one it was opened in.
                        self.witnesses.adopted_in.store(folder, Ordering::Relaxed);
                    } else {
                        // The database does not continue the history known here: it is opened and
                        // judged anew.
                        Box::pin(self.look(committer, false)).await;
                    }
                }
                Ok(Err(error)) => self.lose(committer, &error.chain()),
                Err(_) => self.lose(committer, LATE),
            },
            None => self.reopen(committer).await,
        }
    }

    /// Whether a person must decide before any widening change or any file is taken in.
    pub(super) fn is_held(&self) -> bool {
        self.store.is_held()
    }

    /// Saves the last good state, and returns whether what is live is on disk.
    pub(super) async fn save_last_good(self: &Arc<Self>) -> bool {
        let standing = self.store.status();
        let Some(epoch) = standing.epoch else { return true };
        if matches!(standing.database, Database::Held { .. }) {
            // The saved state is the one that the database is compared with.
            return true;
        }
        let now = self.clock.wall_ms();
        // Read before the catalog is: so the catalog holds everything that is listed here.
        let committed = self.fast_path.committed.lock().iter().cloned().collect();
        let (catalog, credentials) = {
            let mut state = self.state();
            if !state.is_recorded() {
                // A start would take files that no database has recorded for recorded ones.
                return true;
            }
            state.forget_dead_credentials(now);
            (state.catalog.clone(), state.credentials())
        };
        // The journal is written first: it names each state before the last good state does, so
        // that a start recognises a last good state of another data folder.
        {
            let mut known = self.witnesses.known.lock();
            // Of two concurrent saves the later one must not put an older head back.
            if known.as_ref().is_none_or(|known| {
                known.epoch != epoch || known.head.revision <= catalog.head.revision
            }) {
                *known = Some(KnownHead { epoch: epoch.clone(), head: catalog.head });
            }
        }
        if let Err(why) = self.note_known().await {
            self.report_last_good(Some(why));
            return false;
        }
        let inner = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            inner.hold_folder()?;
            let mut last_good = inner.witnesses.last_good.lock();
            if last_good.is_newer_than(catalog.head.revision) {
                return Ok(());
            }
            let needed = credentials.into_iter().filter(|(_, record)| record.is_needed(now));
            let tokens: Vec<Credential> =
                needed.map(|(id, record)| Credential { id, record }).collect();
            let beside =
                Beside { tokens: &tokens, committed, unknown: &inner.witnesses.kept_beside };
            last_good.write(&epoch, &catalog, beside).map_err(|error| error.to_string())?;
            inner.store.set_kept(catalog.head);
            Ok(())
        });
        let fault = match written.await {
            Ok(Ok(())) => {
                self.settle_journal().await;
                None
            }
            Ok(Err(why)) => Some(why),
            Err(error) => Some(error.to_string()),
        };
        let saved = fault.is_none();
        self.report_last_good(fault);
        saved
    }

    /// Reports what is wrong with the last good state now, together with what was found at the
    /// start.
    pub(super) fn report_last_good(&self, fault: Option<String>) {
        let path = self.data.last_good();
        let trouble = |why: String| Problem {
            kind: ProblemKind::LastGood,
            subject: None,
            message: format!("{} cannot be written: {why}", path.display()),
            hint: "make room on the disk; without it a restart needs the database".to_owned(),
        };
        let mut troubles = self.witnesses.found_at_start.lock().clone();
        troubles.retain(|trouble| trouble.kind == ProblemKind::LastGood);
        troubles.extend(fault.map(trouble));
        self.trouble(ProblemKind::LastGood, troubles);
    }
}

//! What is tried again, for as long as it takes: a lost database, pending changes, ends, the last good state.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::lane::READ;
use super::start::doubt;
use super::{Database, Inner, Lane, Trouble, TroubleKind, lock};
use crate::clock;
use crate::data::LastGood;
use crate::truth::Credential;

/// How often the database's head is looked at, and how often a lost one is tried.
const EVERY: Duration = Duration::from_secs(2);
/// How long a lost database may take to open.
const OPEN: Duration = Duration::from_millis(1500);
/// Changes of this time are kept as one.
const COALESCE: Duration = Duration::from_millis(250);

/// Looks after the database until the corridor is gone.
pub(super) async fn keep(inner: Weak<Inner>) {
    let mut next_end = None;
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let until_end = next_end.map(|end: i64| Duration::from_millis((end - clock::wall_ms()).max(0) as u64));
        let woken = tokio::select! {
            () = strong.wake.notified() => true,
            () = sleep(until_end.unwrap_or(EVERY).min(EVERY)) => false,
        };
        let is_held = strong.look_at_folder().await;
        let mut lane = strong.lane.clone().lock_owned().await;
        match is_held {
            Ok(()) => strong.look(&mut lane, woken).await,
            // What another server uses is not touched.
            Err(why) => strong.lose(&mut lane, &why),
        }
        strong.settle_credentials(&mut lane).await;
        if strong.replay(&mut lane).await.is_err() {
            // Whoever waits for a commit is told that there is none yet.
            lock(&strong.waiting).clear();
        }
        let in_reach = lane.store.is_some();
        drop(lane);
        if in_reach && strong.files_wait() {
            strong.record().await;
        }
        let credentials = strong.credentials.borrow().clone();
        strong.look_at_ends(&credentials);
        next_end = strong.expire().await;
    }
}

/// Keeps the last good state on disk.
pub(super) async fn save(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        // Looked at again now and then, so that a corridor that was dropped is let go.
        if timeout(EVERY, strong.changed.notified()).await.is_ok() {
            sleep(COALESCE).await;
            if !strong.save_last_good().await {
                strong.changed.notify_one();
                sleep(EVERY).await;
            }
        }
    }
}

impl Inner {
    /// Looks whether the database is still there, or is back.
    async fn look(self: &Arc<Self>, lane: &mut Lane, woken: bool) {
        match lane.store.clone() {
            Some(_) if woken => {}
            Some(store) => match timeout(READ, store.head()).await {
                Ok(Ok((_, head))) => {
                    self.contact.note(true);
                    if head != self.truth().book.head {
                        // Somebody else wrote to it: everything is read anew.
                        self.lose(lane, "it was written to by another program");
                        Box::pin(self.look(lane, false)).await;
                    }
                }
                Ok(Err(error)) => self.lose(lane, &error.chain()),
                Err(_) => self.lose(lane, "it does not answer in time"),
            },
            None => {
                let held = matches!(lock(&self.standing).database, Database::Held { .. });
                if !held {
                    self.reopen(lane).await;
                }
            }
        }
    }

    async fn reopen(self: &Arc<Self>, lane: &mut Lane) {
        if !self.let_go_of_lost(lane).await {
            return;
        }
        let (epoch, head, unrecorded) = {
            let truth = self.truth();
            let epoch = lock(&self.standing).epoch.clone();
            (epoch, truth.book.head, truth.book.head.revision == 0)
        };
        let opened = timeout(OPEN, self.open_store(unrecorded && epoch.is_none())).await;
        match opened.unwrap_or_else(|_| Err("it does not answer in time".to_owned())) {
            Ok(opened) => match doubt(epoch.as_deref().map(|epoch| (epoch, head)), &opened.loaded) {
                None => {
                    self.believe(lane, opened, None).await;
                    let recording = self.clone();
                    // Files that waited; after the lane is free.
                    tokio::spawn(async move { recording.record().await });
                }
                Some(why) => self.set_database(Database::Held { why, since_ms: clock::wall_ms() }),
            },
            Err(why) => self.set_database(Database::Down { why, since_ms: clock::wall_ms() }),
        }
    }

    /// Whether nothing holds the files of the database that was lost any more.
    async fn let_go_of_lost(&self, lane: &mut Lane) -> bool {
        let Some(lost) = lane.lost.take() else { return true };
        match Arc::try_unwrap(lost) {
            Ok(store) => {
                // A disk that hangs is waited for by its own thread.
                let _ = timeout(OPEN, store.release()).await;
                true
            }
            Err(in_use) => {
                lane.lost = Some(in_use);
                false
            }
        }
    }

    /// Whether what is live is on disk.
    pub(super) async fn save_last_good(self: &Arc<Self>) -> bool {
        let standing = lock(&self.standing).clone();
        let Some(epoch) = standing.epoch else { return true };
        if matches!(standing.database, Database::Held { .. }) {
            // What is kept is what is held against the database.
            return true;
        }
        let inner = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let now = clock::wall_ms();
            let (book, credentials) = {
                let mut truth = inner.truth();
                truth.forget_dead_credentials(now);
                (truth.book.clone(), truth.credentials())
            };
            let needed = credentials.into_iter().filter(|(_, record)| record.is_needed(now));
            let tokens: Vec<Credential> = needed.map(|(id, record)| Credential { id, record }).collect();
            LastGood::write(&inner.data.last_good(), &epoch, &book, &tokens).map(|()| book.head)
        });
        let fault = match written.await {
            Ok(Ok(head)) => {
                lock(&self.standing).kept = Some(head);
                self.clear_journal();
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        let trouble = fault.map(|why| Trouble {
            kind: TroubleKind::LastGood,
            subject: None,
            message: format!("{} cannot be written: {why}", self.data.last_good().display()),
            hint: "make room on the disk; without it a restart needs the database".to_owned(),
        });
        let saved = trouble.is_none();
        self.trouble(TroubleKind::LastGood, trouble.into_iter().collect());
        saved
    }
}

//! Which revision is next. The receiver's cursor is stored in the database itself, and advances
//! only after a delivery: a revision may be sent twice, and none is left out. The first time,
//! delivery begins after the newest revision.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Deliveries, Failure, Outcome, Sender, System, WebhookConfig, wait};
use crate::clock;
use crate::control::{Coordinator, Problem, ProblemKind};
use crate::ledger::{ContentCache, referenced_blobs, revision_message};
use crate::store::{HistoryQuery, Store, StoreError, StoredRevision};

/// The name of the cursor in the database.
const READER: &str = "webhook";
/// How long the database may take for one operation.
const READ: Duration = Duration::from_secs(2);
/// How often a database that is out of reach is tried again, unless it is announced to be back.
const EVERY: Duration = Duration::from_secs(2);

/// Follows the revisions until it is dropped.
#[derive(Debug)]
pub struct WebhookWorker(JoinHandle<()>);

impl Drop for WebhookWorker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl WebhookWorker {
    /// Starts the worker. It finds its cursor once before this returns: what is committed from then
    /// on is sent.
    pub async fn start(
        coordinator: Coordinator,
        config: WebhookConfig,
    ) -> (WebhookWorker, Arc<Deliveries>) {
        let deliveries = Arc::new(Deliveries::new(coordinator.revisions()));
        let mut follow = Follow {
            shown: config.target.to_string(),
            sender: Sender::new(config, System),
            deliveries: deliveries.clone(),
            revisions: coordinator.revisions(),
            began_at: coordinator.state().catalog.head.revision,
            coordinator,
            cursor: None,
            skipped: None,
        };
        // A database that hangs does not delay the start.
        let _ = timeout(READ, follow.find_cursor()).await;
        (WebhookWorker(tokio::spawn(follow.for_ever())), deliveries)
    }
}

struct Follow {
    coordinator: Coordinator,
    revisions: watch::Receiver<u64>,
    sender: Sender<System>,
    /// The receiver, as far as it may be shown.
    shown: String,
    deliveries: Arc<Deliveries>,
    /// The newest revision that was known at the start.
    began_at: u64,
    cursor: Option<Cursor>,
    skipped: Option<Problem>,
}

/// How far the receiver has come in one database.
struct Cursor {
    epoch: String,
    delivered: u64,
    /// The value in the database.
    saved: Option<u64>,
}

/// The database cannot be asked now; its own problem says why.
struct OutOfReach;

impl Follow {
    async fn for_ever(mut self) {
        loop {
            // Anything committed after this look wakes it again.
            self.revisions.borrow_and_update();
            let all_told = match self.step().await {
                Ok(true) => continue,
                Ok(false) => true,
                Err(OutOfReach) => false,
            };
            let news = self.revisions.changed();
            let gone = if all_told {
                news.await.is_err()
            } else {
                matches!(timeout(EVERY, news).await, Ok(Err(_)))
            };
            if gone {
                return;
            }
        }
    }

    /// Sends the next revision; `false` if there is none.
    async fn step(&mut self) -> Result<bool, OutOfReach> {
        let (store, newest) = self.find_cursor().await?;
        let Some(Cursor { epoch, delivered, .. }) = &self.cursor else { return Err(OutOfReach) };
        if *delivered >= newest {
            return Ok(false);
        }
        let (next, id) = (delivered + 1, format!("{epoch}/{}", delivered + 1));
        let body = read(&store, next).await;
        // Dropped, so that a database that is opened anew meanwhile is not blocked.
        drop(store);
        match body {
            Ok(body) => self.deliver(next, &id, body).await,
            Err(Unread::Never(why)) => self.skip(next, &why),
            Err(Unread::Now) => return Err(OutOfReach),
        }
        if let Some(cursor) = &mut self.cursor {
            cursor.delivered = next;
        }
        self.deliveries.record_delivered(next);
        Ok(true)
    }

    /// Finds where to go on in the current database, and stores it there. Returns the database and
    /// its newest revision.
    async fn find_cursor(&mut self) -> Result<(Arc<Store>, u64), OutOfReach> {
        let store = self.coordinator.store().ok_or(OutOfReach)?;
        let (epoch, head) = in_time(store.head()).await?;
        let cursor = match self.cursor.take().filter(|cursor| cursor.epoch == epoch) {
            Some(cursor) => cursor,
            None => {
                let saved = in_time(store.cursor(READER)).await?;
                let began_at = if self.began_at == 0 { head.revision } else { self.began_at };
                let delivered = saved.unwrap_or(began_at).min(head.revision);
                self.deliveries.record_delivered(delivered);
                Cursor { epoch, delivered, saved }
            }
        };
        let cursor = self.cursor.insert(cursor);
        if cursor.saved != Some(cursor.delivered) {
            in_time(store.move_cursor(READER, cursor.delivered)).await?;
            cursor.saved = Some(cursor.delivered);
        }
        Ok((store, head.revision))
    }

    /// Tries until the revision is received.
    async fn deliver(&mut self, revision: u64, id: &str, body: Bytes) {
        let mut failures = 0;
        let began_ms = clock::wall_ms();
        while let Err(failure) = self.sender.post(id, body.clone()).await {
            failures += 1;
            self.deliveries.count(failure.outcome());
            self.report(Some(self.failing(revision, began_ms, &failure)));
            sleep(wait(failures)).await;
        }
        self.deliveries.count(Outcome::Delivered);
        self.report(None);
    }

    fn skip(&mut self, revision: u64, why: &str) {
        self.deliveries.count(Outcome::Skipped);
        self.skipped = Some(Problem {
            kind: ProblemKind::Webhook,
            subject: None,
            message: format!(
                "the webhook {} was not told of revision {revision}: {why}",
                self.shown
            ),
            hint: "see what else was altered with `turnout history --verify`".to_owned(),
        });
        self.report(None);
    }

    fn failing(&self, revision: u64, since_ms: i64, failure: &Failure) -> Problem {
        let since = clock::utc(since_ms);
        Problem {
            kind: ProblemKind::Webhook,
            subject: None,
            message: format!("the webhook {} has not taken revision {revision} since {since}: {failure}", self.shown),
            hint: "see to the receiver; nothing else waits for it, and it is tried again at least every minute".to_owned(),
        }
    }

    fn report(&self, failing: Option<Problem>) {
        self.coordinator.report(
            ProblemKind::Webhook,
            self.skipped.clone().into_iter().chain(failing).collect(),
        );
    }
}

/// Why a revision could not be read.
enum Unread {
    Now,
    /// Its row is gone or unreadable.
    Never(String),
}

/// A revision as it is sent.
async fn read(store: &Store, number: u64) -> Result<Bytes, Unread> {
    let page = HistoryQuery {
        flag: None,
        before: Some(number + 1),
        after: Some(number - 1),
        limit: 1,
        whole: true,
    };
    let StoredRevision { revision, hash, .. } = match timeout(READ, store.history(&page)).await {
        Ok(Ok(mut found)) => {
            found.pop().ok_or_else(|| Unread::Never("its row is missing".to_owned()))?
        }
        Ok(Err(error @ StoreError::Unreadable { .. })) => {
            return Err(Unread::Never(error.to_string()));
        }
        Ok(Err(_)) | Err(_) => return Err(Unread::Now),
    };
    let blobs = in_time(store.blobs(&referenced_blobs(&revision)))
        .await
        .map_err(|OutOfReach| Unread::Now)?;
    // Thousands of definitions may have to be read for it, and commands are executed on this
    // thread.
    let body = tokio::task::spawn_blocking(move || {
        let mut content = ContentCache { blobs, ..ContentCache::default() };
        serde_json::to_string(&revision_message(&revision, hash, &mut content)).unwrap_or_default()
    });
    body.await.map(Bytes::from).map_err(|_| Unread::Now)
}

async fn in_time<T>(asking: impl Future<Output = Result<T, StoreError>>) -> Result<T, OutOfReach> {
    timeout(READ, asking).await.ok().and_then(Result::ok).ok_or(OutOfReach)
}

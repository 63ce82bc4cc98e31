//! Feeds as the rest of the service uses them: how they start, change and end. `reading` has how they
//! are read.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::cursor::Cursor;
use super::decide::{Published, StreamRecord};
use super::health::{FeedProblem, Health};
use super::limits::{LIST_PAGE, PUBLISH_TIMEOUT, READ_TIMEOUT};
use super::metrics::FeedCounts;
use super::name::StreamKey;
use super::poll::PollError;
use super::publish::Publish;
use super::shared::{PublishError, RemovalError, RetentionOf, Shared};
use super::single_flight::SingleFlight;
use super::waiting::{Answer, WaitingRoom};
use super::warm::WarmStreams;
use super::writer::{Job, Writer};
use crate::clock::Clock;
use crate::flag::FlagKey;

/// All feeds of a node.
#[derive(Clone, Debug)]
pub struct Feeds(pub(super) Arc<Handles>);

/// What feeds need of the service.
pub struct FeedsOptions {
    /// Where the database of events is.
    pub path: PathBuf,
    /// How many bytes of events are kept.
    pub max_bytes: u64,
    pub clock: Clock,
    pub retention: RetentionOf,
    /// A random number; `None` where the system gives none.
    pub random: fn() -> Option<u64>,
    /// Told of all problems of feeds, again and again.
    pub report: Box<dyn Fn(Vec<FeedProblem>) + Send + Sync>,
    /// Told how many streams begin anew, as an older database was put in its place.
    pub renewed: Box<dyn Fn(u64) + Send + Sync>,
}

#[derive(Debug)]
pub(super) struct Handles {
    pub shared: Arc<Shared>,
    jobs: mpsc::UnboundedSender<Job>,
    /// The runtime on which the database is read and written.
    pub runtime: Handle,
    waiting: WaitingRoom,
    pub waiting_reads: Arc<AtomicUsize>,
    pub reads: SingleFlight,
}

/// A stream in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedStream {
    pub stream: String,
    pub head: u64,
    pub kept: u64,
    pub bytes: u64,
    /// How many users are listed; `None` is every verified one.
    pub readers: Option<usize>,
    pub ended: bool,
}

impl Feeds {
    /// Opens the database, or goes on without it, and starts what writes to it on this runtime.
    pub async fn start(options: FeedsOptions, runtime: Handle) -> Feeds {
        let FeedsOptions { path, max_bytes, clock, retention, random, report, renewed } = options;
        let shared = Arc::new(Shared {
            health: Health::new(path.clone()),
            path,
            max_bytes,
            clock,
            retention,
            random,
            tell: report,
            renewed,
            kept_problems: Mutex::default(),
            store: ArcSwapOption::empty(),
            warm: WarmStreams::default(),
            counts: FeedCounts::default(),
            kept_bytes: AtomicU64::new(0),
            queries: AtomicU64::new(0),
        });
        let (jobs, taken) = mpsc::unbounded_channel();
        let mut writer = Writer::new(shared.clone(), taken);
        let watching = Arc::downgrade(&shared);
        let opening = runtime.spawn(async move {
            writer.begin().await;
            writer
        });
        let (opened, is_open) = oneshot::channel();
        runtime.spawn(async move {
            if let Ok(writer) = opening.await {
                let _ = opened.send(());
                writer.run().await;
            }
        });
        // A change that hangs holds up the writer, so another task notices that.
        runtime.spawn(async move {
            while let Some(shared) = watching.upgrade() {
                if shared.health.look(shared.clock.now().steady_ms) {
                    shared.report();
                }
                drop(shared);
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        });
        // A disk that hangs does not hold up the start.
        let _ = timeout(READ_TIMEOUT, is_open).await;
        let (waiting, waiting_reads) = (WaitingRoom::default(), Arc::default());
        let reads = SingleFlight::default();
        Feeds(Arc::new(Handles { shared, jobs, runtime, waiting, waiting_reads, reads }))
    }

    /// Whether the database can be used.
    pub fn is_available(&self) -> bool {
        self.0.shared.health.is_available()
    }

    pub fn counts(&self) -> &FeedCounts {
        &self.0.shared.counts
    }

    pub fn kept_bytes(&self) -> u64 {
        self.0.shared.kept_bytes.load(Relaxed)
    }

    /// How many queries were made for polls and lists.
    pub fn queries(&self) -> u64 {
        let shared = &self.0.shared;
        let of_open = shared.store.load().as_ref().map_or(0, |store| store.queries());
        shared.queries.load(Relaxed) + of_open
    }

    /// How many streams are in memory, and the bytes they take.
    pub fn warm_size(&self) -> (usize, usize) {
        self.0.shared.warm.size()
    }

    /// Publishes. The answer comes once it is durable.
    pub async fn publish(
        &self,
        key: StreamKey,
        publish: Publish,
    ) -> Result<Published, PublishError> {
        let begun_ms = self.0.shared.clock.now().steady_ms;
        let bytes = publish.bytes();
        let (answer, answered) = self.wait_with(bytes).ok_or(PublishError::Unavailable)?;
        let published = self.ask(Job::Publish { key, publish, answer }, answered).await;
        let published = published.ok_or(PublishError::Unavailable)?;
        let took_ms = self.0.shared.clock.now().steady_ms - begun_ms;
        self.counts().publish_seconds.observe(took_ms as f64 / 1000.0);
        published
    }

    /// The cursor of a position of a stream, as its clients know it.
    pub fn cursor(&self, key: &StreamKey, epoch: u64, position: u64) -> String {
        Cursor { epoch, position }.encode(key)
    }

    /// Removes a stream; false if there was none.
    pub async fn delete(&self, key: StreamKey) -> Result<bool, RemovalError> {
        let waiting = self.wait_with(size_of::<Job>());
        let (answer, answered) = waiting.ok_or(RemovalError::Unavailable)?;
        let removed = self.ask(Job::Delete { key, answer }, answered).await;
        removed.ok_or(RemovalError::Unavailable)?
    }

    /// A page of a flag's streams behind a name, and whether there are more.
    pub async fn list(
        &self,
        flag: &FlagKey,
        after: &str,
    ) -> Result<(Vec<ListedStream>, bool), PollError> {
        let (flag, after) = (flag.to_string(), after.to_owned());
        let found = self
            .read(move |store| async move { store.list(&flag, &after, LIST_PAGE + 1).await })
            .await?;
        let has_more = found.len() > LIST_PAGE as usize;
        let listed = |(key, record): (StreamKey, StreamRecord)| ListedStream {
            stream: key.stream().to_owned(),
            head: record.head,
            kept: record.head - record.kept_after,
            bytes: record.bytes,
            readers: record.readers.count(),
            ended: record.ended,
        };
        Ok((found.into_iter().take(LIST_PAGE as usize).map(listed).collect(), has_more))
    }

    /// Ends in good order: what waits is committed first.
    pub async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.0.jobs.send(Job::Close(closed)).is_ok() {
            let _ = is_closed.await;
        }
    }

    /// Room to wait for the writer, if events are available and there is any.
    fn wait_with<T>(&self, bytes: usize) -> Option<(Answer<T>, oneshot::Receiver<T>)> {
        if self.is_available() { self.0.waiting.enter(bytes) } else { None }
    }

    /// What the writer answers, if it does in time.
    async fn ask<T>(&self, job: Job, answered: oneshot::Receiver<T>) -> Option<T> {
        self.0.jobs.send(job).ok()?;
        timeout(PUBLISH_TIMEOUT, answered).await.ok()?.ok()
    }
}

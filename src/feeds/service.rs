//! Feeds as the rest of the service uses them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::batch::{CachedBatch, Render};
use super::cursor::Cursor;
use super::decide::{Published, StreamRecord};
use super::follow::{Followed, MAX_BATCH_EVENTS};
use super::health::{FeedProblem, Health};
use super::limits::{
    LIST_PAGE, MAX_WAITING_BYTES, MAX_WAITING_READS, PUBLISH_TIMEOUT, READ_TIMEOUT,
};
use super::metrics::FeedCounts;
use super::name::{StreamKey, StreamNames};
use super::page::RenderedEvent;
use super::poll::{Answer, EventPage, PollError};
use super::publish::Publish;
use super::query::{From, PollQuery};
use super::readers::Readers;
use super::shared::{PublishError, RetentionOf, Shared};
use super::single_flight::SingleFlight;
use super::store::{EventStore, EventStoreError};
use super::warm::{LookUp, WarmStream, WarmStreams, Watched};
use super::writer::{Job, Writer};
use crate::clock::Clock;
use crate::flag::FlagKey;

/// All feeds of a node.
#[derive(Clone, Debug)]
pub struct Feeds(Arc<Handles>);

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
struct Handles {
    shared: Arc<Shared>,
    jobs: mpsc::UnboundedSender<Job>,
    /// The runtime on which the database is read and written.
    runtime: Handle,
    waiting_bytes: AtomicUsize,
    waiting_reads: Arc<AtomicUsize>,
    reads: SingleFlight,
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

/// Who reads a stream.
#[derive(Clone, Copy, Debug)]
pub enum Reader<'r> {
    /// A verified user, by the targeting key.
    User(&'r str),
    /// A server or an operator, who may read every stream.
    Any,
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
        let (jobs, waiting) = mpsc::unbounded_channel();
        let mut writer = Writer::new(shared.clone(), waiting);
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
        let (waiting_bytes, waiting_reads) = (AtomicUsize::new(0), Arc::default());
        let reads = SingleFlight::default();
        Feeds(Arc::new(Handles { shared, jobs, runtime, waiting_bytes, waiting_reads, reads }))
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
        let _room = self.wait_with(bytes)?;
        let (answer, answered) = oneshot::channel();
        let published = self.ask(Job::Publish { key, publish, answer }, answered).await?;
        let took_ms = self.0.shared.clock.now().steady_ms - begun_ms;
        self.counts().publish_seconds.observe(took_ms as f64 / 1000.0);
        published
    }

    /// The cursor of a position of a stream, as its clients know it.
    pub fn cursor(&self, key: &StreamKey, epoch: u64, position: u64) -> String {
        Cursor { epoch, position }.encode(key)
    }

    /// Removes a stream; false if there was none.
    pub async fn delete(&self, key: StreamKey) -> Result<bool, PublishError> {
        let _room = self.wait_with(size_of::<Job>())?;
        let (answer, answered) = oneshot::channel();
        self.ask(Job::Delete { key, answer }, answered).await?
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

    /// A stream in memory, to be watched: taken before it is polled.
    pub fn watch(&self, (flag, stream): (&str, &str)) -> Option<Watched> {
        self.0.shared.warm.watch(StreamNames(flag, stream))
    }

    /// Polls a stream from memory; `None` where the database has to be read. A poll that was held
    /// was counted before.
    pub fn poll_warm(
        &self,
        (flag, stream): (&str, &str),
        reader: Reader<'_>,
        query: &PollQuery<'_>,
        was_held: bool,
    ) -> Option<Result<EventPage, PollError>> {
        if !self.is_available() {
            return None;
        }
        let names = StreamNames(flag, stream);
        let warm = &self.0.shared.warm;
        let stream = match warm.find(names) {
            LookUp::Stream(stream) => stream,
            LookUp::Absent => return Some(Err(PollError::NoStream)),
            LookUp::Unknown => return None,
        };
        let state = stream.state.load();
        if !reader.may_read(&state.record.readers) {
            return warm.is_refused(names).then_some(Err(PollError::NoStream));
        }
        let answer = match state.answer(&stream.key, query) {
            Ok(Answer::Ready(page)) => Ok(page),
            Ok(Answer::Read(_)) => return None,
            Err(error) => Err(error),
        };
        stream.polls.fetch_add(u64::from(!was_held), Relaxed);
        Some(answer)
    }

    /// Polls a stream.
    pub async fn poll(
        &self,
        key: &StreamKey,
        reader: Reader<'_>,
        query: &PollQuery<'_>,
    ) -> Result<EventPage, PollError> {
        const ATTEMPTS: u32 = 3;
        for attempt in 0..ATTEMPTS {
            if !self.is_available() {
                return Err(PollError::Unavailable);
            }
            let stream = self.stream(key, reader).await?.ok_or(PollError::NoStream)?;
            let state = stream.state.load_full();
            if !reader.may_read(&state.record.readers) {
                return Err(PollError::NoStream);
            }
            if attempt == 0 {
                stream.polls.fetch_add(1, Relaxed);
            }
            let from = match state.answer(key, query)? {
                Answer::Ready(page) => return Ok(page),
                Answer::Read(from) => from,
            };
            let (number, limit) = (state.record.number, query.limit + 1);
            let found = self
                .read(move |store| async move { store.read(number, from, limit).await })
                .await?;
            // Retention, or a removal, may have come between: then the stream is looked at again.
            if found.first().is_some_and(|first| first.position == from + 1) {
                let epoch = state.record.epoch;
                // What is newer than the state is durable, and not shown yet.
                let shown = found.iter().take_while(|stored| stored.position <= state.record.head);
                let rendered: Vec<RenderedEvent> =
                    shown.map(|stored| RenderedEvent::of(key, epoch, stored)).collect();
                return Ok(state.page(key, from, query.limit, rendered.iter()));
            }
        }
        Err(PollError::Unavailable)
    }

    /// Whether there is such a stream that this reader may read.
    pub async fn check(&self, key: &StreamKey, reader: Reader<'_>) -> Result<(), PollError> {
        if !self.is_available() {
            return Err(PollError::Unavailable);
        }
        self.stream(key, reader).await?.map(drop).ok_or(PollError::NoStream)
    }

    /// Where a follower begins.
    pub async fn begin(
        &self,
        key: &StreamKey,
        reader: Reader<'_>,
        from: &From<'_>,
    ) -> Result<Cursor, PollError> {
        if !self.is_available() {
            return Err(PollError::Unavailable);
        }
        let stream = self.stream(key, reader).await?.ok_or(PollError::NoStream)?;
        let state = stream.state.load_full();
        Ok(Cursor { epoch: state.record.epoch, position: state.begin(key, from)? })
    }

    /// Whether a reader may read a stream in memory.
    pub fn may_read(&self, watched: &Watched, reader: Reader<'_>) -> bool {
        reader.may_read(&watched.stream().state.load().record.readers)
    }

    /// What there is behind a place of a stream in memory.
    pub fn look(
        &self,
        watched: &Watched,
        reader: Reader<'_>,
        at: Cursor,
        render: Render,
    ) -> Followed {
        if !self.is_available() {
            return Followed::Unavailable;
        }
        let stream = watched.stream();
        let state = stream.state.load();
        if !reader.may_read(&state.record.readers) {
            return Followed::NotThere;
        }
        state.follow(stream, at, render)
    }

    /// Reads what there is behind a place: memory does not have it. All followers of a stream need it
    /// at once when the stream has left memory, so one reads for those at the same place.
    pub async fn read_on(
        &self,
        key: &StreamKey,
        reader: Reader<'_>,
        at: Cursor,
        render: Render,
    ) -> Result<Followed, PollError> {
        if !self.is_available() {
            return Err(PollError::Unavailable);
        }
        let stream = self.stream(key, reader).await?.ok_or(PollError::NoStream)?;
        let flight = self.0.reads.join(key);
        let _read = flight.begin().await?;
        let state = stream.state.load_full();
        let followed = state.follow(&stream, at, render);
        if !matches!(followed, Followed::NotInMemory) {
            return Ok(followed);
        }
        let (number, from) = (state.record.number, at.position);
        let found = self
            .read(move |store| async move { store.read(number, from, MAX_BATCH_EVENTS + 1).await })
            .await?;
        // Retention, or a removal, came between: then the stream is looked at again.
        if found.first().is_none_or(|first| first.position != from + 1) {
            return Ok(Followed::NotInMemory);
        }
        // What is newer than the state is durable, and not shown yet.
        let shown = found.iter().take_while(|stored| stored.position <= state.record.head);
        let events: Vec<Arc<RenderedEvent>> =
            shown.map(|stored| Arc::new(RenderedEvent::of(key, at.epoch, stored))).collect();
        let batch = state.batch(key, at, &events, render);
        let cached = CachedBatch { from: at, head: state.record.head, batch: batch.clone() };
        stream.batch.store(Some(Arc::new(cached)));
        Ok(Followed::Batch(batch))
    }

    /// Ends in good order: what waits is committed first.
    pub async fn close(&self) {
        let (closed, is_closed) = oneshot::channel();
        if self.0.jobs.send(Job::Close(closed)).is_ok() {
            let _ = is_closed.await;
        }
    }

    /// A stream that the reader may read. One that is not theirs costs what one that is not there
    /// costs: a query, and none as long as the name is remembered.
    async fn stream(
        &self,
        key: &StreamKey,
        reader: Reader<'_>,
    ) -> Result<Option<Arc<WarmStream>>, PollError> {
        if let Some(known) = self.known(key, reader) {
            return Ok(known);
        }
        // Who waited for another's reading finds what that one read.
        let flight = self.0.reads.join(key);
        let _read = flight.begin().await?;
        if let Some(known) = self.known(key, reader) {
            return Ok(known);
        }
        if !self.is_available() {
            return Err(PollError::Unavailable);
        }
        let warm = &self.0.shared.warm;
        let departures = warm.departures();
        let of = key.clone();
        let record = self.read(move |store| async move { store.stream(&of).await }).await?;
        let is_absent = record.is_none();
        let found = record.map(|record| warm.insert_read(key, record, departures));
        let found = found.filter(|found| reader.may_read(&found.state.load().record.readers));
        if found.is_none() {
            warm.refuse(key, is_absent, departures);
        }
        Ok(found)
    }

    /// What memory says of a stream for a reader; `None` where the database has to be asked.
    fn known(&self, key: &StreamKey, reader: Reader<'_>) -> Option<Option<Arc<WarmStream>>> {
        let warm = &self.0.shared.warm;
        match warm.find(key.names()) {
            LookUp::Stream(stream) if reader.may_read(&stream.state.load().record.readers) => {
                Some(Some(stream))
            }
            LookUp::Stream(_) if warm.is_refused(key.names()) => Some(None),
            LookUp::Absent => Some(None),
            LookUp::Stream(_) | LookUp::Unknown => None,
        }
    }

    /// Reads the database, to the end even if its caller leaves: what hangs is bounded, and its
    /// callers are answered all the same.
    async fn read<T, R>(
        &self,
        read: impl FnOnce(Arc<EventStore>) -> R + Send + 'static,
    ) -> Result<T, PollError>
    where
        T: Send + 'static,
        R: Future<Output = Result<T, EventStoreError>> + Send + 'static,
    {
        let store = self.0.shared.store.load_full().ok_or(PollError::Unavailable)?;
        let waiting = Waiting::one_more(&self.0.waiting_reads).ok_or(PollError::Unavailable)?;
        let shared = self.0.shared.clone();
        let reading = self.0.runtime.spawn(async move {
            let found = read(store).await;
            drop(waiting);
            found.map_err(|error| shared.health.failed(error))
        });
        match timeout(READ_TIMEOUT, reading).await {
            Ok(Ok(Ok(found))) => Ok(found),
            _ => Err(PollError::Unavailable),
        }
    }

    fn wait_with(&self, bytes: usize) -> Result<Room<'_>, PublishError> {
        if !self.is_available() {
            return Err(PublishError::Unavailable);
        }
        let room = Room { handles: &self.0, bytes };
        let before = self.0.waiting_bytes.fetch_add(bytes, Relaxed);
        if before + bytes > MAX_WAITING_BYTES { Err(PublishError::Unavailable) } else { Ok(room) }
    }

    async fn ask<T>(&self, job: Job, answered: oneshot::Receiver<T>) -> Result<T, PublishError> {
        self.0.jobs.send(job).map_err(|_| PublishError::Unavailable)?;
        match timeout(PUBLISH_TIMEOUT, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(PublishError::Unavailable),
        }
    }
}

/// The bytes of a publish that waits.
struct Room<'h> {
    handles: &'h Handles,
    bytes: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.handles.waiting_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

/// A reading of the database that is not done.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn one_more(all: &Arc<AtomicUsize>) -> Option<Waiting> {
        let before = all.fetch_add(1, Relaxed);
        let waiting = Waiting(all.clone());
        (before < MAX_WAITING_READS).then_some(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Reader<'_> {
    fn may_read(self, readers: &Readers) -> bool {
        match self {
            Reader::Any => true,
            Reader::User(user) => readers.has(user),
        }
    }
}

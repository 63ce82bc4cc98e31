//! How a stream is read: from memory, and where memory does not have it, from the database. Many that
//! want the same read share it (`single_flight`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::time::timeout;

use super::batch::{CachedBatch, Render};
use super::cursor::Cursor;
use super::follow::{Followed, MAX_BATCH_EVENTS};
use super::limits::{MAX_WAITING_READS, READ_TIMEOUT};
use super::name::{StreamKey, StreamNames};
use super::page::RenderedEvent;
use super::poll::{Answer, EventPage, PollError};
use super::query::{From, PollQuery};
use super::readers::Readers;
use super::service::Feeds;
use super::store::{EventStore, EventStoreError};
use super::warm::{LookUp, WarmStream, Watched};

/// Who reads a stream.
#[derive(Clone, Copy, Debug)]
pub enum Reader<'r> {
    /// A verified user, by the targeting key.
    User(&'r str),
    /// A server or an operator, who may read every stream.
    Any,
}

impl Feeds {
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
        state.follow(&self.0.shared.warm, stream, at, render)
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
        let warm = &self.0.shared.warm;
        let followed = state.follow(warm, &stream, at, render);
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
        warm.batches.keep(&stream.batch, cached);
        Ok(Followed::Batch(batch))
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
    pub(super) async fn read<T, R>(
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

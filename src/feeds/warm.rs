//! The streams that are polled or published to: their state and newest events, in memory.
//!
//! A poll with nothing new reads this alone. What stands here is durable: the writer puts it in after
//! its commit. Bounded in bytes: what was not used for longest leaves first, and is read again.

use std::pin::pin;
use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::{ArcSwap, ArcSwapWeak};
use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use tokio::sync::Notify;

use super::batch::{Batches, CachedBatch};
use super::cursor::Cursor;
use super::decide::StreamRecord;
use super::limits::{MAX_TAIL_BYTES, MAX_TAIL_EVENTS, MAX_WARM_BYTES, MAX_WARM_STREAMS};
use super::name::{StreamKey, StreamNames};
use super::page::{self, RenderedEvent};
use super::refused::RefusedNames;

/// A stream as it is at one moment.
#[derive(Debug)]
pub struct StreamState {
    pub record: StreamRecord,
    /// The newest events without a gap, up to the head.
    pub tail: Vec<Arc<RenderedEvent>>,
    /// The cursor of the head, and the page of a reader who is there.
    pub head_cursor: String,
    pub idle_body: Bytes,
}

/// A stream in memory.
#[derive(Debug)]
pub struct WarmStream {
    pub key: StreamKey,
    pub state: ArcSwap<StreamState>,
    used: AtomicU64,
    bytes: AtomicUsize,
    /// Polls that were answered while it was in memory.
    pub polls: AtomicU64,
    /// How often there was something new for its readers, or the stream left.
    version: AtomicU64,
    changed: Notify,
    /// The batch that was made last: most followers are at the same place. `Batches` keeps it.
    pub(super) batch: ArcSwapWeak<CachedBatch>,
}

/// A stream, and how it was before it was looked at.
#[derive(Debug)]
pub struct Watched {
    stream: Arc<WarmStream>,
    version: u64,
}

impl Watched {
    pub fn key(&self) -> &StreamKey {
        &self.stream.key
    }

    pub(super) fn stream(&self) -> &WarmStream {
        &self.stream
    }

    /// Ready once there was something new since.
    pub async fn changed(&self) {
        loop {
            // Registered first: what comes between the look and the wait is not missed.
            let mut changed = pin!(self.stream.changed.notified());
            changed.as_mut().enable();
            if self.stream.version.load(Acquire) != self.version {
                return;
            }
            changed.await;
        }
    }
}

impl WarmStream {
    /// Wakes the polls that wait for this stream.
    fn announce(&self) {
        self.version.fetch_add(1, Release);
        self.changed.notify_waiters();
    }
}

type Map = HashMap<StreamKey, Arc<WarmStream>, RandomState>;

/// What memory knows of a stream.
#[derive(Debug)]
pub enum LookUp {
    Stream(Arc<WarmStream>),
    /// There is no such stream.
    Absent,
    /// The database has to be asked.
    Unknown,
}

#[derive(Debug, Default)]
pub struct WarmStreams {
    map: RwLock<Map>,
    /// Locked behind `map`, where both are.
    refused: RwLock<RefusedNames>,
    bytes: AtomicUsize,
    /// Raised with each stream that leaves, or is shortened while it is not here: what was read from
    /// the database before that may be old.
    departures: AtomicU64,
    pub(super) batches: Batches,
    /// A slow clock, by which it is known which stream was not used for longest.
    tick: AtomicU64,
}

impl StreamState {
    pub fn new(
        key: &StreamKey,
        record: StreamRecord,
        tail: Vec<Arc<RenderedEvent>>,
    ) -> StreamState {
        let head = Cursor { epoch: record.epoch, position: record.head };
        let head_cursor = head.encode(key);
        let idle_body = page::body([], &head_cursor, false, record.ended);
        StreamState { record, tail, head_cursor, idle_body }
    }

    /// The state after these events, which follow the head.
    fn after(&self, key: &StreamKey, record: StreamRecord, new: &[RenderedEvent]) -> StreamState {
        let is_same = record.number == self.record.number && record.epoch == self.record.epoch;
        let old = if is_same { &self.tail[..] } else { &[] };
        let kept = old.iter().filter(|event| event.position > record.kept_after).cloned();
        let mut tail: Vec<_> = kept.chain(new.iter().cloned().map(Arc::new)).collect();
        let (mut events, mut bytes) = (0, 0);
        for event in tail.iter().rev() {
            bytes += event.json.len();
            if events >= MAX_TAIL_EVENTS || bytes > MAX_TAIL_BYTES {
                break;
            }
            events += 1;
        }
        tail.drain(..tail.len() - events);
        StreamState::new(key, record, tail)
    }

    fn bytes(&self) -> usize {
        const EVENT: usize = size_of::<RenderedEvent>() + 48;
        let tail: usize = self.tail.iter().map(|event| event.json.len() + EVENT).sum();
        size_of::<StreamState>() + self.idle_body.len() + self.record.readers.bytes() + tail + 128
    }

    /// The events of the tail behind a position; `None` if it does not reach back so far.
    pub fn tail_after(&self, position: u64) -> Option<&[Arc<RenderedEvent>]> {
        let first = self.tail.first()?.position;
        let skip = usize::try_from((position + 1).checked_sub(first)?).ok()?;
        self.tail.get(skip..)
    }
}

impl WarmStreams {
    pub fn get(&self, key: &StreamKey) -> Option<Arc<WarmStream>> {
        match self.find(key.names()) {
            LookUp::Stream(stream) => Some(stream),
            LookUp::Absent | LookUp::Unknown => None,
        }
    }

    pub fn find(&self, names: StreamNames<'_>) -> LookUp {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = map.get(&names) else {
            // Under the same lock: a stream whose name was refused is in memory until all are
            // forgotten.
            return if self.is_refused(names) { LookUp::Absent } else { LookUp::Unknown };
        };
        let tick = self.tick.load(Relaxed);
        if found.used.load(Relaxed) != tick {
            found.used.store(tick, Relaxed);
        }
        LookUp::Stream(found.clone())
    }

    /// A stream in memory, to be watched: taken before it is looked at.
    pub fn watch(&self, names: StreamNames<'_>) -> Option<Watched> {
        let LookUp::Stream(stream) = self.find(names) else { return None };
        let version = stream.version.load(Acquire);
        Some(Watched { stream, version })
    }

    /// Whether a name was refused lately.
    pub fn is_refused(&self, names: StreamNames<'_>) -> bool {
        self.refused.read().unwrap_or_else(PoisonError::into_inner).has(&names)
    }

    /// Notes that a name is refused after the database was asked for it, if its stream is in
    /// memory, or was not there (`is_absent`) and cannot have come and left since.
    pub fn refuse(&self, key: &StreamKey, is_absent: bool, departures: u64) {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let is_known = is_absent && self.departures.load(Relaxed) == departures;
        if is_known || map.contains_key(key) {
            self.refused.write().unwrap_or_else(PoisonError::into_inner).insert(key);
        }
    }

    /// What to hand to [`WarmStreams::insert_read`]; taken before the database is read.
    pub fn departures(&self) -> u64 {
        self.departures.load(Relaxed)
    }

    /// Puts in a stream that was read from the database, unless the writer put it in meanwhile or
    /// it may have left again.
    pub fn insert_read(
        &self,
        key: &StreamKey,
        record: StreamRecord,
        departures: u64,
    ) -> Arc<WarmStream> {
        let state = StreamState::new(key, record, Vec::new());
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = map.get(key) {
            return found.clone();
        }
        let stream = Arc::new(self.warm(key, state));
        if self.departures.load(Relaxed) == departures {
            self.bytes.fetch_add(stream.bytes.load(Relaxed), Relaxed);
            map.insert(key.clone(), stream.clone());
            self.make_room(&mut map);
        }
        stream
    }

    /// Takes over what was committed to a stream.
    pub fn committed(&self, key: &StreamKey, record: StreamRecord, new: &[RenderedEvent]) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let found = map.get(key).cloned();
        match found {
            Some(stream) => {
                self.set(&stream, |old| old.after(key, record, new));
                stream.announce();
            }
            None => {
                let empty = StreamState::new(key, record.clone(), Vec::new());
                let stream = Arc::new(self.warm(key, empty.after(key, record, new)));
                self.bytes.fetch_add(stream.bytes.load(Relaxed), Relaxed);
                map.insert(key.clone(), stream);
            }
        }
        self.make_room(&mut map);
    }

    /// Takes over what retention removed. A stream that is not in memory may just be read from the
    /// database, as it was before: then it is not put in.
    pub fn shortened(&self, key: &StreamKey, record: &StreamRecord) {
        let map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        match map.get(key) {
            Some(stream) => self.set(stream, |old| old.after(key, record.clone(), &[])),
            None => drop(self.departures.fetch_add(1, Relaxed)),
        }
    }

    /// Takes a stream out, and returns it.
    pub fn remove(&self, key: &StreamKey) -> Option<Arc<WarmStream>> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        self.departures.fetch_add(1, Relaxed);
        let stream = map.remove(key)?;
        self.bytes.fetch_sub(stream.bytes.load(Relaxed), Relaxed);
        stream.announce();
        Some(stream)
    }

    /// Takes all out: another database is in use.
    pub fn clear(&self) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        self.departures.fetch_add(1, Relaxed);
        self.bytes.store(0, Relaxed);
        map.drain().for_each(|(_, stream)| stream.announce());
        self.forget_refused();
    }

    fn forget_refused(&self) {
        self.refused.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn tick(&self) {
        self.tick.fetch_add(1, Relaxed);
        self.batches.clear();
    }

    /// How many streams there are, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        (map.len(), self.bytes.load(Relaxed))
    }

    fn warm(&self, key: &StreamKey, state: StreamState) -> WarmStream {
        let bytes = state.bytes() + size_of::<WarmStream>() + 2 * key.stream().len();
        WarmStream {
            key: key.clone(),
            state: ArcSwap::from_pointee(state),
            used: AtomicU64::new(self.tick.load(Relaxed)),
            bytes: AtomicUsize::new(bytes),
            polls: AtomicU64::new(0),
            version: AtomicU64::new(0),
            changed: Notify::new(),
            batch: ArcSwapWeak::default(),
        }
    }

    fn set(&self, stream: &WarmStream, next: impl FnOnce(&StreamState) -> StreamState) {
        let old = stream.state.load();
        let new = next(&old);
        let (before, after) = (old.bytes(), new.bytes());
        stream.state.store(Arc::new(new));
        stream.bytes.fetch_add(after, Relaxed);
        stream.bytes.fetch_sub(before, Relaxed);
        self.bytes.fetch_add(after, Relaxed);
        self.bytes.fetch_sub(before, Relaxed);
    }

    /// Over a bound, an eighth more than needed leaves, so that this is rare.
    fn make_room(&self, map: &mut Map) {
        if self.bytes.load(Relaxed) <= MAX_WARM_BYTES && map.len() <= MAX_WARM_STREAMS {
            return;
        }
        let mut all: Vec<(u64, StreamKey)> =
            map.iter().map(|(key, stream)| (stream.used.load(Relaxed), key.clone())).collect();
        all.sort_unstable();
        for (_, key) in all {
            let is_enough = self.bytes.load(Relaxed) <= MAX_WARM_BYTES / 8 * 7
                && map.len() <= MAX_WARM_STREAMS / 8 * 7;
            if is_enough || map.len() <= 1 {
                break;
            }
            if let Some(stream) = map.remove(&key) {
                self.departures.fetch_add(1, Relaxed);
                self.bytes.fetch_sub(stream.bytes.load(Relaxed), Relaxed);
                stream.announce();
            }
        }
        // All of them, not only those that left: what is not there is asked for anew as well.
        self.forget_refused();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::batch::Batch;
    use super::super::limits::MAX_CACHED_BATCH_BYTES;
    use super::*;
    use crate::feeds::readers::Readers;

    fn key(n: usize) -> StreamKey {
        StreamKey::parse("a", &format!("b-{n}")).unwrap()
    }

    fn record(number: usize) -> StreamRecord {
        StreamRecord {
            number: number as u64,
            epoch: 1,
            head: 0,
            kept_after: 0,
            forgotten_after: 0,
            oldest_at_ms: None,
            changed_at_ms: 0,
            bytes: 0,
            ended: false,
            readers: Readers::none(),
        }
    }

    #[test]
    fn what_was_read_before_a_stream_was_shortened_is_not_put_in() {
        let warm = WarmStreams::default();
        let read_at = warm.departures();
        warm.shortened(&key(0), &StreamRecord { head: 9, kept_after: 5, ..record(0) });
        warm.insert_read(&key(0), StreamRecord { head: 9, ..record(0) }, read_at);
        assert!(warm.get(&key(0)).is_none());
        let new = StreamRecord { head: 9, kept_after: 5, ..record(0) };
        warm.insert_read(&key(0), new.clone(), warm.departures());
        assert_eq!(warm.get(&key(0)).unwrap().state.load().record, new);
    }

    #[test]
    fn batches_of_all_streams_are_bounded_and_leave_with_a_tick() {
        let warm = WarmStreams::default();
        let at = Cursor { epoch: 1, position: 0 };
        let streams: Vec<_> =
            (0..200).map(|n| warm.insert_read(&key(n), record(n), warm.departures())).collect();
        let cached = || -> Vec<usize> {
            let batches = streams.iter().filter_map(|stream| stream.batch.load().upgrade());
            batches.map(|cached| cached.batch.message.len()).collect()
        };
        for stream in &streams {
            let batch = Batch { message: Bytes::from(vec![0; 64 * 1024]), to: at };
            warm.batches.keep(&stream.batch, CachedBatch { from: at, head: 0, batch });
            let bytes: usize = cached().iter().sum();
            assert!((64 * 1024..=MAX_CACHED_BATCH_BYTES).contains(&bytes), "{bytes}");
        }
        warm.tick();
        assert_eq!(cached(), [0; 0]);
    }

    /// A name is remembered as absent only where no stream of it can have come meanwhile.
    #[test]
    fn an_absent_name_is_remembered_until_anything_leaves() {
        let is_absent = |warm: &WarmStreams| matches!(warm.find(key(0).names()), LookUp::Absent);
        let warm = WarmStreams::default();
        let read_at = warm.departures();
        warm.refuse(&key(0), true, read_at);
        assert!(is_absent(&warm));
        warm.committed(&key(0), record(0), &[]);
        assert!(warm.get(&key(0)).is_some(), "made: it is there at once");
        assert!(warm.is_refused(key(0).names()), "and others pay for it what they paid before");
        for n in 1..=MAX_WARM_STREAMS {
            warm.tick();
            warm.committed(&key(n), record(n), &[]);
        }
        assert!(
            matches!(warm.find(key(0).names()), LookUp::Unknown),
            "it left: it is on disk alone"
        );
        warm.refuse(&key(0), true, read_at);
        assert!(!is_absent(&warm), "what was read before it left says nothing");
        warm.refuse(&key(0), false, warm.departures());
        assert!(!is_absent(&warm), "it was read as one that is there");
        warm.refuse(&key(0), true, warm.departures());
        assert!(is_absent(&warm));
        warm.clear();
        assert!(!is_absent(&warm), "another database is asked");
    }
}

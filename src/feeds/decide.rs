//! What a batch of publishes does to streams. Pure: the store loads before and commits after.
//!
//! Each publish is whole or not at all, and one that is refused holds back no other. Positions are
//! given here, in the order of the batch, and become visible with its commit.

use std::collections::HashMap;

use super::fingerprint::Fingerprint;
use super::name::StreamKey;
use super::publish::{NewEvent, Publish};
use super::readers::Readers;
use super::shares::{EventsFull, KeptBytes, row_bytes, stream_bytes};

/// A stream as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRecord {
    /// What its events are stored under; another one for a stream that is made anew.
    pub number: u64,
    pub epoch: u64,
    /// The position of the newest event; 0 before the first.
    pub head: u64,
    /// The position before the oldest kept event.
    pub kept_after: u64,
    /// The position up to which ids are forgotten.
    pub forgotten_after: u64,
    pub oldest_at_ms: Option<i64>,
    pub changed_at_ms: i64,
    pub bytes: u64,
    pub ended: bool,
    pub readers: Readers,
}

/// An event with its place.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    pub position: u64,
    pub at_ms: i64,
    pub event: NewEvent,
}

/// Ids that are remembered, by the number of their stream.
pub type KnownIds = HashMap<u64, HashMap<Box<str>, Fingerprint>>;

/// What a batch changes.
#[derive(Debug, Default)]
pub struct BatchChange {
    pub streams: HashMap<StreamKey, StreamRecord>,
    /// Those of one stream in the order of their positions.
    pub events: Vec<(StreamKey, StoredEvent)>,
}

/// What came of one publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub epoch: u64,
    pub head: u64,
    pub accepted: usize,
    pub duplicates: usize,
}

/// Why a publish is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefused {
    #[error("event {0} has the id of an event with another type or other data")]
    EventExists(usize),
    #[error("the stream has ended")]
    StreamEnded,
    #[error(transparent)]
    Full(#[from] EventsFull),
}

/// Decides a batch, and counts what it keeps. `random` gives a number for each stream that is made.
pub fn decide<'p>(
    batch: impl IntoIterator<Item = (&'p StreamKey, &'p Publish)>,
    loaded: &HashMap<StreamKey, StreamRecord>,
    mut known: KnownIds,
    kept: &mut KeptBytes,
    max_bytes: u64,
    now_ms: i64,
    mut random: impl FnMut() -> u64,
) -> (Vec<Result<Published, PublishRefused>>, BatchChange) {
    let mut change = BatchChange::default();
    let mut results = Vec::new();
    for (key, publish) in batch {
        let found = change.streams.get(key).or_else(|| loaded.get(key));
        let step = Step { key, publish, found, max_bytes, now_ms };
        results.push(step.decide(&mut known, kept, &mut random).map(|done| {
            if let Some(record) = done.record {
                change.streams.insert(key.clone(), record);
            }
            change.events.extend(done.events.into_iter().map(|event| (key.clone(), event)));
            done.published
        }));
    }
    (results, change)
}

/// One publish of a batch.
struct Step<'a> {
    key: &'a StreamKey,
    publish: &'a Publish,
    found: Option<&'a StreamRecord>,
    max_bytes: u64,
    now_ms: i64,
}

struct Done {
    /// The stream, where it differs.
    record: Option<StreamRecord>,
    events: Vec<StoredEvent>,
    published: Published,
}

impl Step<'_> {
    fn decide(
        &self,
        known: &mut KnownIds,
        kept: &mut KeptBytes,
        random: &mut impl FnMut() -> u64,
    ) -> Result<Done, PublishRefused> {
        let mut record = self.found.cloned().unwrap_or_else(|| self.made(random()));
        let (fresh, duplicates) = self.fresh_events(record.number, known)?;
        // A publish that ended the stream may be sent again, as its answer may have been lost.
        if record.ended && !(self.publish.ended && fresh.is_empty()) {
            return Err(PublishRefused::StreamEnded);
        }
        let before = self.found.map_or(0, |record| record.bytes);
        if let Some(readers) = &self.publish.readers {
            let name = self.key.stream();
            record.bytes -= stream_bytes(name, &record.readers);
            record.bytes += stream_bytes(name, readers);
            record.readers = readers.clone();
        }
        record.ended |= self.publish.ended;
        let mut events = Vec::with_capacity(fresh.len());
        for event in fresh {
            record.head += 1;
            record.bytes += row_bytes(&event.id, &event.kind) + event.data.len() as u64;
            record.oldest_at_ms = record.oldest_at_ms.or(Some(self.now_ms));
            let event = event.clone();
            events.push(StoredEvent { position: record.head, at_ms: self.now_ms, event });
        }
        self.take_room(kept, before, record.bytes)?;
        let ids = known.entry(record.number).or_default();
        ids.extend(events.iter().map(|stored| (stored.event.id.clone(), stored.event.fingerprint)));
        let (epoch, head, accepted) = (record.epoch, record.head, events.len());
        let published = Published { epoch, head, accepted, duplicates };
        let record = (self.found != Some(&record))
            .then_some(StreamRecord { changed_at_ms: self.now_ms, ..record });
        Ok(Done { record, events, published })
    }

    fn made(&self, number: u64) -> StreamRecord {
        StreamRecord {
            number,
            epoch: number,
            head: 0,
            kept_after: 0,
            forgotten_after: 0,
            oldest_at_ms: None,
            changed_at_ms: self.now_ms,
            bytes: stream_bytes(self.key.stream(), &Readers::none()),
            ended: false,
            readers: Readers::none(),
        }
    }

    /// The events that are not known yet, and how many are.
    fn fresh_events(
        &self,
        number: u64,
        known: &KnownIds,
    ) -> Result<(Vec<&NewEvent>, usize), PublishRefused> {
        let mut fresh: Vec<&NewEvent> = Vec::new();
        let mut of_body: HashMap<&str, Fingerprint> = HashMap::new();
        let known = known.get(&number);
        for (index, event) in self.publish.events.iter().enumerate() {
            let earlier = known.and_then(|known| known.get(&event.id)).copied();
            match earlier.or_else(|| of_body.get(&*event.id).copied()) {
                Some(same) if same == event.fingerprint => {}
                Some(_) => return Err(PublishRefused::EventExists(index + 1)),
                None => {
                    of_body.insert(&event.id, event.fingerprint);
                    fresh.push(event);
                }
            }
        }
        let duplicates = self.publish.events.len() - fresh.len();
        Ok((fresh, duplicates))
    }

    /// Counts the publish, if there is room for it. One that takes no more room than before is always
    /// taken: a reader can be taken out of a full stream.
    fn take_room(&self, kept: &mut KeptBytes, before: u64, after: u64) -> Result<(), EventsFull> {
        let flag = self.key.flag();
        if after > before {
            kept.check(flag, before, after - before, self.max_bytes)?;
        }
        if self.found.is_none() {
            kept.add_stream(flag);
        }
        if after > before {
            kept.add(flag, after - before);
        } else {
            kept.remove(flag, before - after);
        }
        Ok(())
    }
}

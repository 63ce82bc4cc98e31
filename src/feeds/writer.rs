//! The one that writes: takes every publish that waits, decides them together, and makes them
//! durable by one commit and one sync. Between commits it looks after the database, however many wait.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::decide::{BatchChange, Published, StreamRecord, decide};
use super::limits::{MAX_BATCH, MAX_BATCH_BYTES};
use super::name::StreamKey;
use super::page::RenderedEvent;
use super::publish::Publish;
use super::shared::{PublishError, RemovalError, Shared};
use super::shares::EventsFull;
use super::store::{EventStore, EventStoreError, Opened};
use super::sweep::{Sweeper, shortened};
use super::waiting::Answer;
use super::writer_state::WriterState;

/// How long after it was looked after the database is looked after again.
const TICK: Duration = Duration::from_millis(500);
/// How many ticks pass between two attempts to open the database.
const OPEN_EVERY: u32 = 4;

/// What the writer is asked for.
pub enum Job {
    Publish {
        key: StreamKey,
        publish: Publish,
        answer: Answer<Result<Published, PublishError>>,
    },
    Delete {
        key: StreamKey,
        answer: Answer<Result<bool, RemovalError>>,
    },
    /// Everything that waits is done before the answer.
    Close(oneshot::Sender<()>),
}

pub struct Writer {
    shared: Arc<Shared>,
    jobs: mpsc::UnboundedReceiver<Job>,
    state: WriterState,
    sweeper: Sweeper,
    ticks: u32,
}

type PublishJob = (StreamKey, Publish, Answer<Result<Published, PublishError>>);

impl Writer {
    pub fn new(shared: Arc<Shared>, jobs: mpsc::UnboundedReceiver<Job>) -> Writer {
        Writer {
            shared,
            jobs,
            state: WriterState::default(),
            sweeper: Sweeper::default(),
            ticks: 0,
        }
    }

    /// Works until it is closed, or every handle is gone.
    pub async fn run(mut self) {
        let mut ticks: Interval = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let job = tokio::select! {
                biased;
                // Publishes without end do not keep the database from being looked after.
                _ = ticks.tick() => {
                    self.look_after().await;
                    // Nor does that keep publishes waiting where it takes longer than a tick.
                    ticks.reset();
                    continue;
                }
                job = self.jobs.recv() => job,
            };
            let Some(job) = job else { return };
            if let Some(closed) = self.work(job).await {
                self.close().await;
                let _ = closed.send(());
                return;
            }
        }
    }

    /// Does a job, and with a publish all that wait behind it.
    async fn work(&mut self, first: Job) -> Option<oneshot::Sender<()>> {
        let mut batch: Vec<PublishJob> = Vec::new();
        let (mut next, mut bytes) = (Some(first), 0);
        while let Some(job) = next.take() {
            match job {
                Job::Publish { key, publish, answer } => {
                    bytes += publish.bytes();
                    batch.push((key, publish, answer));
                    if batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
                        next = self.jobs.try_recv().ok();
                    }
                }
                Job::Delete { key, answer } => {
                    self.commit(std::mem::take(&mut batch)).await;
                    answer.send(self.delete(&key).await);
                }
                Job::Close(closed) => {
                    self.commit(batch).await;
                    return Some(closed);
                }
            }
        }
        self.commit(batch).await;
        None
    }

    async fn commit(&mut self, batch: Vec<PublishJob>) {
        if batch.is_empty() {
            return;
        }
        let Some(store) = self.store() else {
            return refuse(batch, &PublishError::Unavailable);
        };
        match self.commit_to(&store, &batch).await {
            Ok(results) => {
                for ((.., answer), result) in batch.into_iter().zip(results) {
                    answer.send(result);
                }
            }
            Err(error) => {
                let refusal = match error {
                    EventStoreError::Full => PublishError::Refused(EventsFull::Disk.into()),
                    _ => PublishError::Unavailable,
                };
                refuse(batch, &refusal);
                self.failed(&store, error).await;
            }
        }
    }

    async fn commit_to(
        &mut self,
        store: &EventStore,
        batch: &[PublishJob],
    ) -> Result<Vec<Result<Published, PublishError>>, EventStoreError> {
        let shared = self.shared.clone();
        let mut held = shared.timed(store.hold(&distinct(batch))).await?;
        let ids: Vec<(&StreamKey, &str)> = batch
            .iter()
            .flat_map(|(key, publish, _)| publish.events.iter().map(move |event| (key, &*event.id)))
            .collect();
        let known = shared.timed(store.known_ids(&mut held, &ids)).await?;
        let made = batch.iter().filter(|(key, ..)| !held.streams.contains_key(key));
        let numbers: Option<Vec<u64>> = made.map(|_| (self.shared.random)()).collect();
        let Some(mut numbers) = numbers else {
            shared.timed(store.release(held)).await?;
            return Err(EventStoreError::Other("the system gives no randomness".to_owned()));
        };
        let (results, change) = decide(
            batch.iter().map(|(key, publish, _)| (key, publish)),
            &held.streams,
            known,
            &mut self.state.kept,
            self.shared.max_bytes,
            self.shared.clock.wall_ms(),
            || numbers.pop().unwrap_or_default(),
        );
        if change.streams.is_empty() {
            shared.timed(store.release(held)).await?;
        } else {
            shared.timed(store.commit(held, &change)).await?;
            self.show(&change);
        }
        Ok(results.into_iter().map(|result| result.map_err(PublishError::Refused)).collect())
    }

    /// Shows what is durable now to those who poll.
    fn show(&mut self, change: &BatchChange) {
        let counts = &self.shared.counts;
        counts.events_in.fetch_add(change.events.len() as u64, Relaxed);
        let mut new: HashMap<&StreamKey, Vec<RenderedEvent>> = HashMap::new();
        for (key, stored) in &change.events {
            if let Some(StreamRecord { epoch, .. }) = change.streams.get(key) {
                new.entry(key).or_default().push(RenderedEvent::of(key, *epoch, stored));
            }
        }
        for (key, record) in &change.streams {
            let events = new.remove(key).unwrap_or_default();
            let has_ended = record.ended;
            let was_ended = self
                .shared
                .warm
                .get(key)
                .map(|stream| (stream.state.load().record.ended, stream.polls.load(Relaxed)));
            self.shared.warm.committed(key, record.clone(), &events);
            if let (true, Some((false, polls))) = (has_ended, was_ended) {
                counts.polls_per_build.observe(polls as f64);
            }
            let keep = self.state.in_force(&self.shared, key.flag()).keep;
            self.sweeper.grew(key, record, keep);
        }
        self.state.count_kept(&self.shared);
    }

    async fn delete(&mut self, key: &StreamKey) -> Result<bool, RemovalError> {
        let store = self.store().ok_or(RemovalError::Unavailable)?;
        match self.shared.timed(store.delete(key)).await {
            Ok(None) => Ok(false),
            Ok(Some(record)) => {
                self.state.forget(&self.shared, key, &record);
                self.sweeper.has_doomed();
                Ok(true)
            }
            Err(error) => {
                let refusal = match error {
                    EventStoreError::Full => RemovalError::DiskFull,
                    _ => RemovalError::Unavailable,
                };
                self.failed(&store, error).await;
                Err(refusal)
            }
        }
    }

    fn store(&self) -> Option<Arc<EventStore>> {
        self.shared.store.load_full()
    }

    /// An operation failed: what is known of the database may be wrong now.
    async fn failed(&mut self, store: &EventStore, error: EventStoreError) {
        let passes = error.passes();
        self.shared.health.failed(error);
        if !passes {
            self.shared.lose_store();
            return;
        }
        match self.shared.timed(store.kept()).await {
            Ok(kept) => self.state.kept = kept,
            Err(error) => {
                self.shared.health.failed(error);
                self.shared.lose_store();
            }
        }
        self.state.count_kept(&self.shared);
    }

    async fn look_after(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        self.shared.warm.tick();
        match self.store() {
            None if self.ticks % OPEN_EVERY == 1 => self.open().await,
            None => {}
            Some(store) => {
                self.check(&store).await;
                if self.store().is_some() {
                    let Writer { sweeper, state, shared, jobs, .. } = self;
                    let swept = sweeper.step(state, shared, &store, || !jobs.is_empty());
                    if let Err(error) = swept.await {
                        self.failed(&store, error).await;
                    }
                }
            }
        }
        self.report();
    }

    async fn check(&mut self, store: &EventStore) {
        let shared = &self.shared;
        let checked = match shared.timed(store.check()).await {
            Ok(()) if shared.health.has_trouble() => shared.timed(store.try_writing()).await,
            other => other,
        };
        match checked {
            Ok(()) => self.shared.health.is_well(),
            Err(error) if error.passes() => self.shared.health.failed(error),
            Err(error) => self.failed(store, error).await,
        }
    }

    /// Opens the database for the first time. A start goes on without it.
    pub async fn begin(&mut self) {
        let random = self.shared.random;
        let mut draw = || random().unwrap_or_default();
        let opened = self.shared.timed(EventStore::open(&self.shared.path, &mut draw)).await;
        self.take_in(opened);
    }

    async fn open(&mut self) {
        let random = self.shared.random;
        let mut draw = || random().unwrap_or_default();
        let opened = self.shared.timed(EventStore::reopen(&self.shared.path, &mut draw)).await;
        self.take_in(opened);
    }

    fn take_in(&mut self, opened: Result<(EventStore, Opened), EventStoreError>) {
        match opened {
            Ok((store, opened)) => {
                if opened.renewed > 0 {
                    (self.shared.renewed)(opened.renewed);
                }
                self.state.kept = opened.kept;
                self.state.retentions = opened.retentions;
                self.sweeper.begin_anew();
                self.shared.warm.clear();
                self.shared.store.store(Some(Arc::new(store)));
                self.shared.health.is_well();
                self.state.count_kept(&self.shared);
            }
            Err(error) => self.shared.health.failed(error),
        }
    }

    fn report(&self) {
        let mut problems = Vec::new();
        if self.store().is_some() {
            problems.extend(super::health::nearly_full(&self.state.kept, self.shared.max_bytes));
            problems.extend(shortened(&self.state.retentions, self.shared.clock.wall_ms()));
        }
        *self.shared.kept_problems.lock().unwrap_or_else(PoisonError::into_inner) = problems;
        self.shared.report();
    }

    async fn close(&mut self) {
        if let Some(store) = self.shared.store.swap(None) {
            store.close().await;
        }
    }
}

fn distinct(batch: &[PublishJob]) -> Vec<&StreamKey> {
    let mut keys: Vec<&StreamKey> = batch.iter().map(|(key, ..)| key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn refuse(batch: Vec<PublishJob>, refusal: &PublishError) {
    for (.., answer) in batch {
        answer.send(Err(refusal.clone()));
    }
}

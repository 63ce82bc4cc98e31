//! Retention in the background, piece by piece: at each tick for a bounded time, which is short while
//! publishes wait. Every kind of work, and every stream, has its turn.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use super::decide::StreamRecord;
use super::health::{FeedProblem, FeedProblemKind};
use super::name::StreamKey;
use super::retention::RetentionRecord;
use super::shared::Shared;
use super::store::{EventStore, EventStoreError};
use super::writer_state::WriterState;
use crate::flag::FlagKey;
use crate::moment::utc;

/// How long one step works. The piece that is begun by then is the last.
const STEP_MS: i64 = 250;
/// How long it works while publishes wait.
const STEP_BETWEEN_PUBLISHES_MS: i64 = 50;
/// Ticks between two looks for streams that are due.
const LOOK_EVERY: u32 = 10;
/// Streams that are noted as due between two looks.
const MAX_DUE: usize = 4_096;
/// The kinds of work, which take turns.
const KINDS: u32 = 5;

/// What is still to be removed.
#[derive(Debug, Default)]
pub struct Sweeper {
    /// Flags whose streams are still to be looked at.
    to_look: Vec<FlagKey>,
    due: BTreeSet<StreamKey>,
    /// The stream that had its turn last: the next one is behind it.
    last: Option<StreamKey>,
    /// Streams that had ended when they were looked for, with their numbers.
    over: Vec<(StreamKey, u64)>,
    looks_for_ids: bool,
    ids_after: Option<u64>,
    doomed: bool,
    until_look: u32,
    turn: u32,
}

impl Sweeper {
    /// Another database is open, or the first.
    pub fn begin_anew(&mut self) {
        *self = Sweeper { doomed: true, ..Sweeper::default() };
    }

    pub fn has_doomed(&mut self) {
        self.doomed = true;
    }

    /// A stream got events: it is due if it has more than are kept.
    pub fn grew(&mut self, key: &StreamKey, record: &StreamRecord, keep: u64) {
        if record.head - record.kept_after > keep && self.due.len() < MAX_DUE {
            self.due.insert(key.clone());
        }
    }

    /// Works for a while; one piece at least, so that publishes without end do not stop retention.
    pub async fn step(
        &mut self,
        state: &mut WriterState,
        shared: &Shared,
        store: &EventStore,
        is_awaited: impl Fn() -> bool,
    ) -> Result<(), EventStoreError> {
        let begun_ms = shared.clock.now().steady_ms;
        if self.until_look == 0 {
            self.until_look = LOOK_EVERY;
            // A look that is not done goes on.
            if self.to_look.is_empty() {
                self.to_look = state.kept.by_flag().map(|(flag, _)| flag.clone()).collect();
            }
            self.looks_for_ids = true;
        }
        self.until_look -= 1;
        while self.piece(state, shared, store).await? {
            let took_ms = shared.clock.now().steady_ms - begun_ms;
            if took_ms >= STEP_MS || (took_ms >= STEP_BETWEEN_PUBLISHES_MS && is_awaited()) {
                break;
            }
        }
        Ok(())
    }

    /// Does a piece of the kind whose turn it is, or of the next that has any; false if none has.
    async fn piece(
        &mut self,
        state: &mut WriterState,
        shared: &Shared,
        store: &EventStore,
    ) -> Result<bool, EventStoreError> {
        for _ in 0..KINDS {
            self.turn = (self.turn + 1) % KINDS;
            let is_done = match self.turn {
                0 => self.look(state, shared, store).await?,
                1 => self.look_for_ids(shared, store).await?,
                2 => self.shorten(state, shared, store).await?,
                3 => self.remove_over(state, shared, store).await?,
                _ => self.clear_doomed(state, shared, store).await?,
            };
            if is_done {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks which streams of a flag are due.
    async fn look(
        &mut self,
        state: &mut WriterState,
        shared: &Shared,
        store: &EventStore,
    ) -> Result<bool, EventStoreError> {
        let Some(flag) = self.to_look.pop() else { return Ok(false) };
        follow(state, shared, store, &flag).await?;
        let sweep = state.sweep(shared, &flag);
        let (due, over) = shared.timed(store.due(&flag, sweep)).await?;
        self.due.extend(due);
        self.over.extend(over);
        self.over.sort_unstable();
        self.over.dedup();
        Ok(true)
    }

    /// Looks for streams that remember ids of events that are gone.
    async fn look_for_ids(
        &mut self,
        shared: &Shared,
        store: &EventStore,
    ) -> Result<bool, EventStoreError> {
        if !std::mem::take(&mut self.looks_for_ids) {
            return Ok(false);
        }
        let old = shared.timed(store.with_old_ids(self.ids_after)).await?;
        self.ids_after = old.last().map(|(number, _)| *number);
        self.due.extend(old.into_iter().map(|(_, key)| key));
        Ok(true)
    }

    /// Removes what is due of the next stream.
    async fn shorten(
        &mut self,
        state: &mut WriterState,
        shared: &Shared,
        store: &EventStore,
    ) -> Result<bool, EventStoreError> {
        let Some(key) = self.next_due() else { return Ok(false) };
        let sweep = state.sweep(shared, key.flag());
        if let Some(removed) = shared.timed(store.remove_old(&key, sweep)).await? {
            state.kept.remove(key.flag(), removed.released);
            shared.warm.shortened(&key, &removed.record);
            if removed.more {
                self.due.insert(key);
            }
        }
        Ok(true)
    }

    /// Takes out the stream behind the one before, in the order of their names, and round again:
    /// one that is due again at once waits until the others had their turn.
    fn next_due(&mut self) -> Option<StreamKey> {
        let behind = match &self.last {
            Some(last) => self.due.range((Excluded(last), Unbounded)).next().cloned(),
            None => None,
        };
        let key = behind.or_else(|| self.due.first().cloned())?;
        self.due.remove(&key);
        self.last = Some(key.clone());
        Some(key)
    }

    async fn remove_over(
        &mut self,
        state: &mut WriterState,
        shared: &Shared,
        store: &EventStore,
    ) -> Result<bool, EventStoreError> {
        let Some((key, number)) = self.over.pop() else { return Ok(false) };
        let sweep = state.sweep(shared, key.flag());
        if let Some(record) = shared.timed(store.delete_over(&key, number, sweep)).await? {
            state.forget(shared, &key, &record);
            self.doomed = true;
        }
        Ok(true)
    }

    async fn clear_doomed(
        &mut self,
        state: &mut WriterState,
        shared: &Shared,
        store: &EventStore,
    ) -> Result<bool, EventStoreError> {
        if !self.doomed {
            return Ok(false);
        }
        match shared.timed(store.clear_doomed()).await? {
            Some(bytes) => state.kept.clear_doomed(bytes),
            None => self.doomed = false,
        }
        Ok(true)
    }
}

/// Records what the flag's file says now.
async fn follow(
    state: &mut WriterState,
    shared: &Shared,
    store: &EventStore,
    flag: &FlagKey,
) -> Result<(), EventStoreError> {
    let Some(wanted) = (shared.retention)(flag) else { return Ok(()) };
    let now_ms = shared.clock.wall_ms();
    let before = state.retentions.get(flag).copied();
    let now = before.map_or_else(|| RetentionRecord::new(wanted), |old| old.follow(wanted, now_ms));
    if before != Some(now) {
        shared.timed(store.set_retention(flag, now)).await?;
        state.retentions.insert(flag.clone(), now);
    }
    Ok(())
}

/// The flags whose smaller retention waits.
pub fn shortened(retentions: &HashMap<FlagKey, RetentionRecord>, now_ms: i64) -> Vec<FeedProblem> {
    let mut waiting: Vec<_> = retentions
        .iter()
        .filter_map(|(flag, record)| Some((flag, record.shortens_at_ms()?)))
        .filter(|(_, at_ms)| *at_ms > now_ms)
        .collect();
    waiting.sort_unstable();
    let problem = |(flag, at_ms): (&FlagKey, i64)| FeedProblem {
        kind: FeedProblemKind::RetentionShortened,
        flag: Some(flag.to_string()),
        message: format!(
            "{flag} keeps fewer events from {} on: its file has a smaller `retain` or `keep`",
            utc(at_ms)
        ),
        hint: "nothing is to be done; to keep them, write the larger value again before that"
            .to_owned(),
    };
    waiting.into_iter().map(problem).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::feeds::readers::Readers;

    fn key(n: u64) -> StreamKey {
        StreamKey::parse("a", &format!("b-{n}")).unwrap()
    }

    fn with_events(head: u64) -> StreamRecord {
        StreamRecord {
            number: 1,
            epoch: 1,
            head,
            kept_after: 10,
            forgotten_after: 0,
            oldest_at_ms: Some(1),
            changed_at_ms: 1,
            bytes: 0,
            ended: false,
            readers: Readers::none(),
        }
    }

    #[test]
    fn a_stream_is_due_once_it_has_more_than_are_kept() {
        let mut sweeper = Sweeper::default();
        sweeper.grew(&key(1), &with_events(110), 100);
        assert_eq!(sweeper.next_due(), None);
        sweeper.grew(&key(1), &with_events(111), 100);
        assert_eq!(sweeper.next_due(), Some(key(1)));
        assert_eq!(sweeper.next_due(), None);
    }

    #[test]
    fn streams_that_are_due_again_at_once_wait_for_the_others() {
        let mut sweeper = Sweeper::default();
        sweeper.due.extend([1, 2, 3].map(key));
        for n in [1, 2, 3, 1, 2, 3] {
            let next = sweeper.next_due().unwrap();
            assert_eq!(next, key(n));
            sweeper.due.insert(next);
        }
    }
}

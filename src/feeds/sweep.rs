//! Retention in the background: a bounded step at each tick, and the next one sooner while there is
//! more to do.

use std::collections::{BTreeSet, HashMap};

use super::decide::StreamRecord;
use super::health::{FeedProblem, FeedProblemKind};
use super::name::StreamKey;
use super::retention::RetentionRecord;
use super::shared::Shared;
use super::store::{EventStore, EventStoreError, Sweep};
use super::writer_state::WriterState;
use crate::flag::FlagKey;
use crate::moment::utc;

/// Streams, and pieces of deleted ones, that one step works on.
const STREAMS_A_STEP: usize = 32;
/// Ticks between two looks for streams that are due.
const LOOK_EVERY: u32 = 10;

/// What is still to be removed.
#[derive(Debug, Default)]
pub struct Sweeper {
    due: BTreeSet<StreamKey>,
    /// Streams that had ended when they were looked for, with their numbers.
    over: Vec<(StreamKey, u64)>,
    ids_after: Option<u64>,
    doomed: bool,
    until_look: u32,
}

impl Sweeper {
    /// Another database is open, or the first.
    pub fn begin_anew(&mut self) {
        *self = Sweeper { doomed: true, ..Sweeper::default() };
    }

    pub fn has_doomed(&mut self) {
        self.doomed = true;
    }

    /// A stream got events. Whether that is too many, the next step sees.
    pub fn grew(&mut self, key: &StreamKey, record: &StreamRecord) {
        let is_large = record.head - record.kept_after > MIN_KEEP;
        if is_large && self.due.len() < MAX_DUE {
            self.due.insert(key.clone());
        }
    }

    pub async fn step(
        &mut self,
        state: &mut WriterState,
        shared: &Shared,
        store: &EventStore,
    ) -> Result<(), EventStoreError> {
        let now_ms = shared.clock.wall_ms();
        if self.until_look == 0 {
            self.until_look = LOOK_EVERY;
            self.look(state, shared, store, now_ms).await?;
        }
        self.until_look -= 1;
        for _ in 0..STREAMS_A_STEP {
            let Some(key) = self.due.pop_first() else { break };
            let in_force = state.in_force(shared, key.flag());
            let Some(removed) = store.remove_old(&key, Sweep { in_force, now_ms }).await? else {
                continue;
            };
            state.kept.remove(key.flag(), removed.released);
            shared.warm.shortened(&key, &removed.record);
            if removed.more {
                self.due.insert(key);
            }
        }
        for (key, number) in self.over.split_off(self.over.len().saturating_sub(STREAMS_A_STEP)) {
            let in_force = state.in_force(shared, key.flag());
            let sweep = Sweep { in_force, now_ms };
            if let Some(record) = store.delete_over(&key, number, sweep).await? {
                state.forget(shared, &key, &record);
                self.doomed = true;
            }
        }
        if self.doomed {
            match store.clear_doomed().await? {
                Some(bytes) => state.kept.clear_doomed(bytes),
                None => self.doomed = false,
            }
        }
        Ok(())
    }

    /// Looks which streams are due, of every flag that has any.
    async fn look(
        &mut self,
        state: &mut WriterState,
        shared: &Shared,
        store: &EventStore,
        now_ms: i64,
    ) -> Result<(), EventStoreError> {
        let flags: Vec<FlagKey> = state.kept.by_flag().map(|(flag, _)| flag.clone()).collect();
        for flag in flags {
            follow(state, shared, store, &flag, now_ms).await?;
            let in_force = state.in_force(shared, &flag);
            let (due, over) = store.due(&flag, Sweep { in_force, now_ms }).await?;
            self.due.extend(due);
            self.over.extend(over);
        }
        let old = store.with_old_ids(self.ids_after).await?;
        self.ids_after = old.last().map(|(number, _)| *number);
        self.due.extend(old.into_iter().map(|(_, key)| key));
        self.over.sort_unstable();
        self.over.dedup();
        Ok(())
    }
}

/// A stream with no more events than the smallest `keep` is never due for their number.
const MIN_KEEP: u64 = 1;
/// Streams that are noted as due between two looks.
const MAX_DUE: usize = 4_096;

/// Records what the flag's file says now.
async fn follow(
    state: &mut WriterState,
    shared: &Shared,
    store: &EventStore,
    flag: &FlagKey,
    now_ms: i64,
) -> Result<(), EventStoreError> {
    let Some(wanted) = (shared.retention)(flag) else { return Ok(()) };
    let before = state.retentions.get(flag).copied();
    let now = before.map_or_else(|| RetentionRecord::new(wanted), |old| old.follow(wanted, now_ms));
    if before != Some(now) {
        store.set_retention(flag, now).await?;
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

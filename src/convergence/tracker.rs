//! When the live state went live, and how many streams hold it.
//!
//! The target of a flag is the position at which its documents first went live. A stop that is
//! committed later keeps the position at which it took effect, so no client has to be sent the same
//! state twice.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{DeliveryState, Progress, Streams, Subscription};
use crate::flag::FlagKey;
use crate::snapshot::{FlagSnapshot, Position, Snapshot};

/// When the state of each flag went live; one entry per flag.
#[derive(Debug, Default)]
pub struct ConvergenceTracker {
    known: Mutex<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// The newest position that was seen.
    seen: Position,
    /// The flags that were there then.
    entries: Arc<[Arc<FlagSnapshot>]>,
    flags: HashMap<FlagKey, ChangeProgress>,
    /// How many realtime streams were closed for the change that went live at a position.
    ended: HashMap<FlagKey, (Position, usize)>,
}

/// One change of a flag.
#[derive(Clone, Copy, Debug)]
struct ChangeProgress {
    position: Position,
    at_ms: u64,
    wall_ms: i64,
    reached: Percentiles,
}

/// How long after a change that part of the streams open then held it, in milliseconds. A number
/// that is known stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    pub p50_ms: Option<u64>,
    pub p90_ms: Option<u64>,
    pub p99_ms: Option<u64>,
}

/// How many open streams are in which delivery state for a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub open: usize,
    pub confirmed: usize,
    pub not_needed: usize,
    pub told: usize,
    pub missing: usize,
    /// Realtime streams that were closed for the change: they are open no more.
    pub ended: usize,
}

/// How far the newest change of a flag, or of all flags, has landed.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    pub position: Position,
    /// When the change went live, by the wall clock and by this process's clock; `None` if it was
    /// live at the start.
    pub live_at: Option<(i64, u64)>,
    pub counts: Counts,
    pub reached: Percentiles,
}

impl ConvergenceTracker {
    /// Starts from a snapshot that was live before any stream was open.
    pub fn from(snapshot: &Snapshot) -> ConvergenceTracker {
        let (seen, entries) = (snapshot.position(), snapshot.shared_flags().clone());
        ConvergenceTracker { known: Mutex::new(Changes { seen, entries, ..Changes::default() }) }
    }

    /// Records the snapshot that is live now, and returns the flags that changed with it: also
    /// those that are gone.
    pub fn note(&self, snapshot: &Snapshot, now_ms: u64, wall_ms: i64) -> HashSet<FlagKey> {
        let mut known = self.known();
        let seen = std::mem::replace(&mut known.seen, snapshot.position());
        let gone = known.take_in(seen, snapshot);
        let changed = snapshot.flags().iter().filter(|entry| entry.live_since() > seen);
        let changed: Vec<(FlagKey, Position)> =
            changed.map(|entry| (entry.key().clone(), entry.live_since())).collect();
        for (flag, position) in &changed {
            let landing = ChangeProgress {
                position: *position,
                at_ms: now_ms,
                wall_ms,
                reached: Percentiles::default(),
            };
            known.flags.insert(flag.clone(), landing);
        }
        changed.into_iter().map(|(flag, _)| flag).chain(gone).collect()
    }

    /// Records that a realtime stream was closed, as its user's strategy is another since the
    /// change of the flag that went live at `target`.
    pub fn ended(&self, flag: &FlagKey, target: Position) {
        let mut known = self.known();
        match known.ended.get_mut(flag) {
            Some((position, count)) if *position == target => *count += 1,
            Some((position, _)) if *position > target => {}
            _ => drop(known.ended.insert(flag.clone(), (target, 1))),
        }
    }

    /// How far a flag's newest change has landed; `None` for an unknown flag.
    pub fn of_flag(
        &self,
        snapshot: &Snapshot,
        flag: &str,
        streams: &Streams,
        now_ms: u64,
    ) -> Option<Report> {
        let entry = snapshot.flag(flag)?;
        let target = entry.live_since();
        let mut settled = Settled::of(streams, now_ms, |follows| match follows {
            Subscription::Flag(followed) | Subscription::Realtime(followed) => {
                (followed == entry.key()).then_some(target)
            }
            Subscription::All | Subscription::Changes => Some(target),
        });
        let mut known = self.known();
        settled.counts.ended = known.ended_at(entry.key(), target);
        let landing = known.flags.get_mut(entry.key()).filter(|landing| landing.position == target);
        Some(report(target, landing, settled))
    }

    /// How far the newest change of everything has landed: each stream is judged by the newest
    /// state of what it follows.
    pub fn of_all(&self, snapshot: &Snapshot, streams: &Streams, now_ms: u64) -> Report {
        let newest = snapshot.flags().iter().max_by_key(|entry| entry.live_since());
        let target = newest.map(|entry| entry.live_since()).unwrap_or_default();
        let mut settled = Settled::of(streams, now_ms, |follows| match follows {
            Subscription::Flag(flag) | Subscription::Realtime(flag) => {
                snapshot.flag(flag.as_str()).map(|entry| entry.live_since())
            }
            Subscription::All | Subscription::Changes => Some(target),
        });
        let mut known = self.known();
        let ended = snapshot.flags().iter().map(|entry| (entry.key(), entry.live_since()));
        settled.counts.ended = ended.map(|(flag, target)| known.ended_at(flag, target)).sum();
        let landing = newest
            .and_then(|entry| known.flags.get_mut(entry.key()))
            .filter(|landing| landing.position == target);
        report(target, landing, settled)
    }

    fn known(&self) -> MutexGuard<'_, Changes> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// Takes in the flags of a newer snapshot. Returns those that were there before, at `seen`, and
    /// are gone; nothing is known of these from now on.
    fn take_in(&mut self, seen: Position, snapshot: &Snapshot) -> Vec<FlagKey> {
        let before = std::mem::replace(&mut self.entries, snapshot.shared_flags().clone());
        // The same keys.
        if snapshot.changed_since(seen).is_some() {
            return Vec::new();
        }
        let keys = before.iter().map(|entry| entry.key());
        let gone: Vec<FlagKey> =
            keys.filter(|key| snapshot.flag(key.as_str()).is_none()).cloned().collect();
        for flag in &gone {
            self.flags.remove(flag);
            self.ended.remove(flag);
        }
        gone
    }

    fn ended_at(&self, flag: &FlagKey, target: Position) -> usize {
        self.ended.get(flag).filter(|(position, _)| *position == target).map_or(0, |(_, n)| *n)
    }
}

impl Counts {
    /// The counts of every flag at once: one pass over the streams, and one judgement of those that
    /// follow all flags for each distinct position.
    pub fn of_every_flag(
        snapshot: &Snapshot,
        streams: &Streams,
        now_ms: u64,
    ) -> HashMap<FlagKey, Counts> {
        let mut of_flag: HashMap<FlagKey, Counts> = HashMap::new();
        let mut of_all: Vec<Progress> = Vec::new();
        streams.each(|stream| match stream.follows() {
            Subscription::All | Subscription::Changes => of_all.push(*stream.progress()),
            Subscription::Flag(flag) | Subscription::Realtime(flag) => {
                if let Some(entry) = snapshot.flag(flag.as_str()) {
                    let verdict = stream.progress().verdict(entry.live_since(), now_ms);
                    of_flag.entry(flag.clone()).or_default().add(verdict);
                }
            }
        });
        let mut at: HashMap<Position, Counts> = HashMap::new();
        for entry in snapshot.flags() {
            let target = entry.live_since();
            let shared = *at.entry(target).or_insert_with(|| {
                let mut counts = Counts::default();
                of_all.iter().for_each(|progress| counts.add(progress.verdict(target, now_ms)));
                counts
            });
            of_flag.entry(entry.key().clone()).or_default().merge(shared);
        }
        of_flag
    }

    fn add(&mut self, verdict: DeliveryState) {
        self.open += 1;
        *match verdict {
            DeliveryState::Confirmed => &mut self.confirmed,
            DeliveryState::NotNeeded => &mut self.not_needed,
            DeliveryState::Told => &mut self.told,
            DeliveryState::Missing => &mut self.missing,
        } += 1;
    }

    fn merge(&mut self, other: Counts) {
        self.open += other.open;
        self.confirmed += other.confirmed;
        self.not_needed += other.not_needed;
        self.told += other.told;
        self.missing += other.missing;
        self.ended += other.ended;
    }
}

/// The streams by delivery state; and for each, since when it is open and since when it holds the
/// change.
struct Settled {
    counts: Counts,
    at_ms: Vec<(u64, Option<u64>)>,
}

impl Settled {
    fn of(
        streams: &Streams,
        now_ms: u64,
        target_of: impl Fn(&Subscription) -> Option<Position>,
    ) -> Settled {
        let mut settled = Settled { counts: Counts::default(), at_ms: Vec::new() };
        streams.each(|stream| {
            let Some(target) = target_of(stream.follows()) else { return };
            let progress = *stream.progress();
            settled.counts.add(progress.verdict(target, now_ms));
            settled.at_ms.push((stream.opened_at_ms(), progress.settled_at_ms(target, now_ms)));
        });
        settled
    }
}

fn report(position: Position, landing: Option<&mut ChangeProgress>, settled: Settled) -> Report {
    let Settled { counts, at_ms } = settled;
    let Some(landing) = landing else {
        return Report { position, live_at: None, counts, reached: Percentiles::default() };
    };
    // Streams opened after the change never held anything else, and had nothing to wait for.
    let were_open: Vec<Option<u64>> = at_ms
        .into_iter()
        .filter(|(opened_ms, _)| *opened_ms <= landing.at_ms)
        .map(|(_, at_ms)| at_ms)
        .collect();
    let mut held_ms: Vec<u64> =
        were_open.iter().flatten().map(|at_ms| at_ms.saturating_sub(landing.at_ms)).collect();
    held_ms.sort_unstable();
    let after =
        |percent: usize| held_ms.get((were_open.len() * percent).div_ceil(100).max(1) - 1).copied();
    let reached = &mut landing.reached;
    let (p50, p90, p99) = (after(50), after(90), after(99));
    reached.p50_ms = reached.p50_ms.or(p50);
    reached.p90_ms = reached.p90_ms.or(p90);
    reached.p99_ms = reached.p99_ms.or(p99);
    Report { position, live_at: Some((landing.wall_ms, landing.at_ms)), counts, reached: *reached }
}

//! Every effective flag at one position, immutable. Floor 1.
//!
//! A request reads one snapshot and nothing else (law 5). The next snapshot shares every flag that
//! did not change.

mod flag_snapshot;
mod position;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

pub use flag_snapshot::{EffectiveFlag, FlagSnapshot, State};
pub use position::{BadPosition, Position};

use crate::document::Documents;
use crate::evaluation_counters::EvaluationCounters;
use crate::flag::{Context, ContextNeeds, FlagKey, Resolution, Segments, ServerAuth};
use crate::public_path::PublicPath;

/// The flags in force at one position.
#[derive(Debug, Default)]
pub struct Snapshot {
    position: Position,
    position_text: Bytes,
    /// The newest position at which any flag changed: OFREP's tag, which nothing else moves.
    configured_at: Position,
    server_auth: ServerAuth,
    public_path: PublicPath,
    tally: Arc<EvaluationCounters>,
    /// Ordered by key. Code that needs only the flags keeps these and not the snapshot.
    entries: Arc<[Arc<FlagSnapshot>]>,
    index: HashMap<FlagKey, usize, RandomState>,
    /// What the last steps to this snapshot changed, newest last.
    steps: Vec<SnapshotDelta>,
    /// What any flag needs from a context; computed at its first use.
    asked: OnceLock<Arc<ContextNeeds>>,
}

/// The step from one snapshot to the next, if both have the same keys.
#[derive(Clone, Debug)]
struct SnapshotDelta {
    from: Position,
    /// The indices of the flags whose documents changed.
    changed: Arc<[usize]>,
}

/// The most steps, and the most changes in all of them, that a snapshot remembers. A reader of an
/// older snapshot compares all flags.
const MAX_STEPS: usize = 64;
const MAX_STEP_CHANGES: usize = 4096;

impl Snapshot {
    /// The snapshot before anything is known: no flag, at position 0.
    pub fn cold(server_auth: ServerAuth, public_path: PublicPath) -> Snapshot {
        Snapshot {
            position_text: Position::default().to_string().into(),
            server_auth,
            public_path,
            ..Snapshot::default()
        }
    }

    /// A snapshot at another position, and the keys of the flags that changed. Unchanged flags are
    /// shared.
    pub fn next<'a>(
        &self,
        position: Position,
        standings: impl Iterator<Item = EffectiveFlag<'a>>,
    ) -> (Snapshot, Vec<FlagKey>) {
        let mut changed = Vec::new();
        let entries: Arc<[Arc<FlagSnapshot>]> = standings
            .map(|EffectiveFlag { key, state, changed_at }| match self.flag(key.as_str()) {
                Some(old) if old.has(&state) && old.changed_position() == changed_at => old.clone(),
                Some(old) if old.has(&state) => Arc::new(old.renumbered(changed_at)),
                _ => {
                    changed.push(key.clone());
                    let documents = self.documents_of(key, &state);
                    Arc::new(FlagSnapshot::new(key.clone(), state, changed_at, position, documents))
                }
            })
            .collect();
        let index: HashMap<FlagKey, usize, RandomState> =
            entries.iter().enumerate().map(|(index, entry)| (entry.key().clone(), index)).collect();
        let gone: Vec<FlagKey> = self
            .entries
            .iter()
            .map(|old| old.key())
            .filter(|key| !index.contains_key(*key))
            .cloned()
            .collect();
        let newest = entries.iter().map(|entry| entry.changed_position()).max().unwrap_or_default();
        let configured_at = if gone.is_empty() { self.configured_at.max(newest) } else { position };
        changed.extend(gone);
        let same_keys = entries.len() == self.entries.len()
            && changed.iter().all(|key| self.index.contains_key(key));
        let steps = if same_keys {
            self.steps_and(changed.iter().filter_map(|key| index.get(key).copied()).collect())
        } else {
            Vec::new()
        };
        let (server_auth, public_path, tally) =
            (self.server_auth, self.public_path.clone(), self.tally.clone());
        let position_text = Bytes::from(position.to_string());
        let asked = OnceLock::new();
        // Few changes alter what flags need. An `Arc` that is shared needs no comparison.
        if changed.iter().all(|key| {
            asks_the_same(self.flag(key.as_str()), index.get(key).map(|place| &entries[*place]))
        }) {
            self.asked.get().into_iter().for_each(|known| drop(asked.set(known.clone())));
        }
        (
            Snapshot {
                position,
                position_text,
                configured_at,
                server_auth,
                public_path,
                tally,
                entries,
                index,
                steps,
                asked,
            },
            changed,
        )
    }

    fn documents_of(&self, key: &FlagKey, state: &State) -> Arc<Documents> {
        let (flag, error_is_ours) = match state {
            State::Usable(flag) => (Some(flag), matches!(flag.segments, Segments::Unusable)),
            State::Unusable { .. } => (None, true),
        };
        let Snapshot { server_auth, public_path, tally, .. } = self;
        Documents::of(key, flag, error_is_ours, *server_auth, public_path, tally).into()
    }

    /// What any flag needs from a context.
    pub fn context_needs(&self) -> &Arc<ContextNeeds> {
        self.asked.get_or_init(|| {
            let mut asked = ContextNeeds::default();
            self.entries.iter().filter_map(|entry| entry.flag()).for_each(|flag| asked.add(flag));
            asked.into()
        })
    }

    /// The steps to this snapshot and the one to the next.
    fn steps_and(&self, changed: Arc<[usize]>) -> Vec<SnapshotDelta> {
        let mut room = MAX_STEP_CHANGES;
        let newest = SnapshotDelta { from: self.position, changed };
        let mut steps: Vec<SnapshotDelta> = std::iter::once(&newest)
            .chain(self.steps.iter().rev())
            .take(MAX_STEPS)
            .take_while(|step| {
                let fits = step.changed.len() <= room;
                room = room.saturating_sub(step.changed.len());
                fits
            })
            .cloned()
            .collect();
        steps.reverse();
        steps
    }

    /// The indices of the flags whose documents changed since a position; `None` if that is not
    /// known, or flags were added or removed.
    pub fn changed_since(&self, position: Position) -> Option<Vec<usize>> {
        if position == self.position {
            return Some(Vec::new());
        }
        let first = self.steps.iter().position(|step| step.from == position)?;
        let mut places: Vec<usize> =
            self.steps[first..].iter().flat_map(|step| step.changed.iter().copied()).collect();
        places.sort_unstable();
        places.dedup();
        Some(places)
    }

    #[inline]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The newest position at which any flag, or a segment that a flag names, changed.
    #[inline]
    pub fn configured_at(&self) -> Position {
        self.configured_at
    }

    /// The position as a header value.
    #[inline]
    pub fn position_text(&self) -> &Bytes {
        &self.position_text
    }

    /// Whether nothing is known yet.
    pub fn is_cold(&self) -> bool {
        // Only flags that were stopped before they are known can be in it.
        self.position.revision == 0
            && self.entries.iter().all(|entry| entry.has(&State::Unusable { stopped: true }))
    }

    #[inline]
    pub fn server_auth(&self) -> ServerAuth {
        self.server_auth
    }

    /// The prefix of every address in an answer.
    #[inline]
    pub fn public_path(&self) -> &PublicPath {
        &self.public_path
    }

    /// How often each outcome was answered.
    #[inline]
    pub fn tally(&self) -> &EvaluationCounters {
        &self.tally
    }

    #[inline]
    pub fn flag(&self, key: &str) -> Option<&Arc<FlagSnapshot>> {
        self.index.get(key).map(|index| &self.entries[*index])
    }

    /// Every flag, ordered by key.
    #[inline]
    pub fn flags(&self) -> &[Arc<FlagSnapshot>] {
        &self.entries
    }

    /// Every flag, for callers that keep them longer than the snapshot.
    #[inline]
    pub fn shared_flags(&self) -> &Arc<[Arc<FlagSnapshot>]> {
        &self.entries
    }

    /// The answer of one of this snapshot's flags for one user.
    #[inline]
    pub fn evaluate(&self, entry: &FlagSnapshot, context: &Context<'_>) -> Resolution {
        entry.evaluate(self.server_auth, context)
    }
}

fn asks_the_same(before: Option<&Arc<FlagSnapshot>>, now: Option<&Arc<FlagSnapshot>>) -> bool {
    let asked = |entry: Option<&Arc<FlagSnapshot>>| {
        entry.and_then(|entry| entry.flag().map(ContextNeeds::by)).unwrap_or_default()
    };
    asked(before) == asked(now)
}

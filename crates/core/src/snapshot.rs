//! Every effective flag at one position, immutable. Floor 1.
//!
//! A request reads one snapshot and nothing else (law 5). The next snapshot shares every flag that
//! did not change.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::document::{Document, Documents, Pick};
use crate::evaluation_counters::EvaluationCounters;
use crate::flag::{
    Context, ContextNeeds, Flag, FlagKey, Resolution, Segments, ServerAuth, evaluate,
};
use crate::public_path::PublicPath;

/// `213`, or `213+2` with two pending entries applied; ordered by revision, then count.
///
/// ```
/// use turnout_core::snapshot::Position;
/// assert_eq!(Position { revision: 213, pending: 2 }.to_string(), "213+2");
/// assert!(Position { revision: 213, pending: 2 } < Position { revision: 214, pending: 0 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub revision: u64,
    pub pending: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pending {
            0 => write!(f, "{}", self.revision),
            pending => write!(f, "{}+{pending}", self.revision),
        }
    }
}

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is a revision, or a revision and a count: 213, 213+2")]
pub struct BadPosition;

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Position, BadPosition> {
        let (revision, pending) = text
            .split_once('+')
            .map_or((text, None), |(revision, pending)| (revision, Some(pending)));
        let revision = revision.parse().map_err(|_| BadPosition)?;
        let pending = pending.map(str::parse).transpose().map_err(|_| BadPosition)?.unwrap_or(0);
        Ok(Position { revision, pending })
    }
}

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

/// One flag of a snapshot.
#[derive(Debug)]
pub struct FlagSnapshot {
    key: FlagKey,
    state: State,
    changed_at: Position,
    changed_at_text: Bytes,
    live_since: Position,
    documents: Arc<Documents>,
}

/// The known form of one flag.
#[derive(Clone, Debug)]
pub enum State {
    Usable(Flag),
    /// No good form is known.
    Unusable {
        stopped: bool,
    },
}

/// The input of one flag for a snapshot.
#[derive(Debug)]
pub struct EffectiveFlag<'a> {
    pub key: &'a FlagKey,
    pub state: State,
    /// The position at which the flag, or a segment it names, last changed.
    pub changed_at: Position,
}

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
                Some(old) if old.state.is(&state) && old.changed_at == changed_at => old.clone(),
                Some(old) if old.state.is(&state) => Arc::new(old.renumbered(changed_at)),
                _ => {
                    changed.push(key.clone());
                    Arc::new(FlagSnapshot::new(key.clone(), state, changed_at, position, self))
                }
            })
            .collect();
        let index: HashMap<FlagKey, usize, RandomState> =
            entries.iter().enumerate().map(|(index, entry)| (entry.key.clone(), index)).collect();
        let gone: Vec<FlagKey> = self
            .entries
            .iter()
            .map(|old| &old.key)
            .filter(|key| !index.contains_key(*key))
            .cloned()
            .collect();
        let newest = entries.iter().map(|entry| entry.changed_at).max().unwrap_or_default();
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

    pub fn position(&self) -> Position {
        self.position
    }

    /// The newest position at which any flag, or a segment that a flag names, changed.
    pub fn configured_at(&self) -> Position {
        self.configured_at
    }

    /// The position as a header value.
    pub fn position_text(&self) -> &Bytes {
        &self.position_text
    }

    /// Whether nothing is known yet.
    pub fn is_cold(&self) -> bool {
        // Only flags that were stopped before they are known can be in it.
        self.position.revision == 0
            && self
                .entries
                .iter()
                .all(|entry| matches!(entry.state, State::Unusable { stopped: true }))
    }

    pub fn server_auth(&self) -> ServerAuth {
        self.server_auth
    }

    /// The prefix of every address in an answer.
    pub fn public_path(&self) -> &PublicPath {
        &self.public_path
    }

    /// How often each outcome was answered.
    pub fn tally(&self) -> &EvaluationCounters {
        &self.tally
    }

    pub fn flag(&self, key: &str) -> Option<&Arc<FlagSnapshot>> {
        self.index.get(key).map(|index| &self.entries[*index])
    }

    /// Every flag, ordered by key.
    pub fn flags(&self) -> &[Arc<FlagSnapshot>] {
        &self.entries
    }

    /// Every flag, for callers that keep them longer than the snapshot.
    pub fn shared_flags(&self) -> &Arc<[Arc<FlagSnapshot>]> {
        &self.entries
    }

    /// The answer of one of this snapshot's flags for one user.
    pub fn evaluate(&self, entry: &FlagSnapshot, context: &Context<'_>) -> Resolution {
        entry.evaluate(self.server_auth, context)
    }
}

impl FlagSnapshot {
    fn new(
        key: FlagKey,
        state: State,
        changed_at: Position,
        live_since: Position,
        of: &Snapshot,
    ) -> FlagSnapshot {
        let (flag, error_is_ours) = match &state {
            State::Usable(flag) => (Some(flag), matches!(flag.segments, Segments::Unusable)),
            State::Unusable { .. } => (None, true),
        };
        let documents = Arc::new(Documents::of(
            &key,
            flag,
            error_is_ours,
            of.server_auth,
            &of.public_path,
            &of.tally,
        ));
        FlagSnapshot {
            key,
            state,
            changed_at,
            changed_at_text: changed_at.to_string().into(),
            live_since,
            documents,
        }
    }

    /// The same flag at another position: a pending change that is then committed is the same
    /// change.
    fn renumbered(&self, changed_at: Position) -> FlagSnapshot {
        let (key, state, documents) =
            (self.key.clone(), self.state.clone(), self.documents.clone());
        FlagSnapshot {
            key,
            state,
            changed_at,
            changed_at_text: changed_at.to_string().into(),
            live_since: self.live_since,
            documents,
        }
    }

    pub fn key(&self) -> &FlagKey {
        &self.key
    }

    /// The position at which this flag last changed.
    pub fn changed_position(&self) -> Position {
        self.changed_at
    }

    /// Whether an operator stopped it.
    pub fn is_stopped(&self) -> bool {
        match &self.state {
            State::Usable(flag) => flag.stopped,
            State::Unusable { stopped } => *stopped,
        }
    }

    /// The position at which this flag last changed, as a header value.
    pub fn changed_at(&self) -> &Bytes {
        &self.changed_at_text
    }

    /// The position at which these documents first went live here. Committing a pending change does
    /// not alter it, so that no client is notified twice.
    pub fn live_since(&self) -> Position {
        self.live_since
    }

    /// The document of one outcome, counted as answered.
    pub fn document<R>(&self, resolution: Resolution, use_it: impl FnOnce(&Document) -> R) -> R {
        self.documents.with(resolution, use_it)
    }

    /// The document of one outcome, for comparing without counting.
    pub fn document_uncounted<R>(
        &self,
        resolution: Resolution,
        use_it: impl FnOnce(&Document) -> R,
    ) -> R {
        self.documents.document_uncounted(resolution, use_it)
    }

    /// The answer for one user.
    pub fn evaluate(&self, server_auth: ServerAuth, context: &Context<'_>) -> Resolution {
        match &self.state {
            State::Usable(flag) => evaluate(flag, context, server_auth),
            State::Unusable { stopped: true } => Resolution::STOPPED_UNKNOWN,
            State::Unusable { stopped: false } => Resolution::ERROR,
        }
    }

    /// The index of a resolution's outcome; [`FlagSnapshot::picked`] returns its document.
    pub fn pick(&self, resolution: Resolution) -> Pick {
        self.documents.pick(resolution)
    }

    pub fn picked(&self, pick: Pick) -> Option<&Document> {
        self.documents.picked(pick)
    }

    /// Counts a picked outcome as answered.
    pub fn answered(&self, pick: Pick) {
        self.documents.answered(pick);
    }

    /// Whether both serve the same documents to the same users.
    pub fn shares_documents_with(&self, other: &FlagSnapshot) -> bool {
        Arc::ptr_eq(&self.documents, &other.documents)
    }

    /// The flag, if a good form is known.
    pub fn flag(&self) -> Option<&Flag> {
        match &self.state {
            State::Usable(flag) => Some(flag),
            State::Unusable { .. } => None,
        }
    }
}

fn asks_the_same(before: Option<&Arc<FlagSnapshot>>, now: Option<&Arc<FlagSnapshot>>) -> bool {
    let asked = |entry: Option<&Arc<FlagSnapshot>>| {
        entry.and_then(|entry| entry.flag().map(ContextNeeds::by)).unwrap_or_default()
    };
    asked(before) == asked(now)
}

impl State {
    fn is(&self, other: &State) -> bool {
        match (self, other) {
            (State::Usable(mine), State::Usable(theirs)) => mine.is(theirs),
            (State::Unusable { stopped: mine }, State::Unusable { stopped: theirs }) => {
                mine == theirs
            }
            _ => false,
        }
    }
}

//! Every effective flag at one position, immutable. Floor 1.
//!
//! A request reads one snapshot and nothing else (law 5). The next one shares with it every flag that did not change.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::document::{Document, Documents};
use crate::flag::{Context, Flag, FlagKey, Resolution, Segments, ServerAuth, evaluate};
use crate::public_path::PublicPath;
use crate::tally::Tally;

/// `213`, or `213+2` with two pending entries applied; orders by revision, then count.
///
/// ```
/// use turnout::snapshot::Position;
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

/// The text is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is a revision, or a revision and a count: 213, 213+2")]
pub struct BadPosition;

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Position, BadPosition> {
        let (revision, pending) = text.split_once('+').map_or((text, None), |(revision, pending)| (revision, Some(pending)));
        let revision = revision.parse().map_err(|_| BadPosition)?;
        let pending = pending.map(str::parse).transpose().map_err(|_| BadPosition)?.unwrap_or(0);
        Ok(Position { revision, pending })
    }
}

/// The flags in force.
#[derive(Debug, Default)]
pub struct Snapshot {
    position: Position,
    position_text: Bytes,
    server_auth: ServerAuth,
    public_path: PublicPath,
    tally: Arc<Tally>,
    /// In the order of keys.
    entries: Vec<Arc<Entry>>,
    index: HashMap<FlagKey, usize, RandomState>,
}

/// One flag of a snapshot.
#[derive(Debug)]
pub struct Entry {
    key: FlagKey,
    state: State,
    changed_at: Position,
    changed_at_text: Bytes,
    live_since: Position,
    documents: Arc<Documents>,
}

/// What is known of one flag.
#[derive(Clone, Debug)]
pub enum State {
    Usable(Flag),
    /// No good form is known.
    Unusable {
        stopped: bool,
    },
}

/// One flag as it is to stand in a snapshot.
#[derive(Debug)]
pub struct Standing<'a> {
    pub key: &'a FlagKey,
    pub state: State,
    /// The position at which the flag, or a segment it names, last changed.
    pub changed_at: Position,
}

impl Snapshot {
    /// What is known before anything is: no flag, at position 0.
    pub fn cold(server_auth: ServerAuth, public_path: PublicPath) -> Snapshot {
        Snapshot { position_text: Position::default().to_string().into(), server_auth, public_path, ..Snapshot::default() }
    }

    /// A snapshot at another position, with the keys of the flags that are not what they were. What stayed is shared.
    pub fn next<'a>(&self, position: Position, standings: impl Iterator<Item = Standing<'a>>) -> (Snapshot, Vec<FlagKey>) {
        let mut changed = Vec::new();
        let entries: Vec<Arc<Entry>> = standings
            .map(|Standing { key, state, changed_at }| match self.flag(key.as_str()) {
                Some(old) if old.state.is(&state) && old.changed_at == changed_at => old.clone(),
                Some(old) if old.state.is(&state) => Arc::new(old.renumbered(changed_at)),
                _ => {
                    changed.push(key.clone());
                    Arc::new(Entry::new(key.clone(), state, changed_at, position, self))
                }
            })
            .collect();
        let index: HashMap<FlagKey, usize, RandomState> =
            entries.iter().enumerate().map(|(index, entry)| (entry.key.clone(), index)).collect();
        changed.extend(self.entries.iter().map(|old| &old.key).filter(|key| !index.contains_key(*key)).cloned());
        let (server_auth, public_path, tally) = (self.server_auth, self.public_path.clone(), self.tally.clone());
        let position_text = Bytes::from(position.to_string());
        (Snapshot { position, position_text, server_auth, public_path, tally, entries, index }, changed)
    }

    pub fn position(&self) -> Position {
        self.position
    }

    /// The position as it stands in a header.
    pub fn position_text(&self) -> &Bytes {
        &self.position_text
    }

    /// Whether nothing is known yet.
    pub fn is_cold(&self) -> bool {
        self.position == Position::default()
    }

    pub fn server_auth(&self) -> ServerAuth {
        self.server_auth
    }

    /// What stands before the addresses that answers name.
    pub fn public_path(&self) -> &PublicPath {
        &self.public_path
    }

    /// How often each outcome was answered.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    pub fn flag(&self, key: &str) -> Option<&Arc<Entry>> {
        self.index.get(key).map(|index| &self.entries[*index])
    }

    /// Every flag, in the order of keys.
    pub fn flags(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// One asker's answer for one of this snapshot's flags.
    pub fn evaluate(&self, entry: &Entry, context: &Context<'_>) -> Resolution {
        match &entry.state {
            State::Usable(flag) => evaluate(flag, context, self.server_auth),
            State::Unusable { stopped: true } => Resolution::STOPPED_UNKNOWN,
            State::Unusable { stopped: false } => Resolution::ERROR,
        }
    }
}

impl Entry {
    fn new(key: FlagKey, state: State, changed_at: Position, live_since: Position, of: &Snapshot) -> Entry {
        let (flag, error_is_ours) = match &state {
            State::Usable(flag) => (Some(flag), matches!(flag.segments, Segments::Unusable)),
            State::Unusable { .. } => (None, true),
        };
        let documents = Arc::new(Documents::of(&key, flag, error_is_ours, of.server_auth, &of.public_path, &of.tally));
        Entry { key, state, changed_at, changed_at_text: changed_at.to_string().into(), live_since, documents }
    }

    /// The same at another position: a pending change that was committed is the same change.
    fn renumbered(&self, changed_at: Position) -> Entry {
        let (key, state, documents) = (self.key.clone(), self.state.clone(), self.documents.clone());
        Entry { key, state, changed_at, changed_at_text: changed_at.to_string().into(), live_since: self.live_since, documents }
    }

    pub fn key(&self) -> &FlagKey {
        &self.key
    }

    /// The position at which this flag last changed, as it stands in a header.
    pub fn changed_at(&self) -> &Bytes {
        &self.changed_at_text
    }

    /// The position at which these documents first went live here. A pending change that is committed keeps it: nobody is told twice.
    pub fn live_since(&self) -> Position {
        self.live_since
    }

    /// The document of one outcome, counted as answered.
    pub fn document<R>(&self, resolution: Resolution, use_it: impl FnOnce(&Document) -> R) -> R {
        self.documents.with(resolution, use_it)
    }

    /// The document of one outcome, for whoever only compares.
    pub fn peek<R>(&self, resolution: Resolution, use_it: impl FnOnce(&Document) -> R) -> R {
        self.documents.peek(resolution, use_it)
    }

    /// Whether both serve the same documents, to the same users.
    pub fn serves_as(&self, other: &Entry) -> bool {
        Arc::ptr_eq(&self.documents, &other.documents)
    }

    /// The flag, if a good form of it is known.
    pub fn flag(&self) -> Option<&Flag> {
        match &self.state {
            State::Usable(flag) => Some(flag),
            State::Unusable { .. } => None,
        }
    }
}

impl State {
    fn is(&self, other: &State) -> bool {
        match (self, other) {
            (State::Usable(mine), State::Usable(theirs)) => mine.is(theirs),
            (State::Unusable { stopped: mine }, State::Unusable { stopped: theirs }) => mine == theirs,
            _ => false,
        }
    }
}

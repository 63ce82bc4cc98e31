//! One flag of a snapshot, with its answers.

use std::sync::Arc;

use bytes::Bytes;

use super::position::Position;
use crate::document::{Document, Documents, Pick};
use crate::flag::{Context, Flag, FlagKey, Resolution, ServerAuth, evaluate};

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

impl FlagSnapshot {
    pub(super) fn new(
        key: FlagKey,
        state: State,
        changed_at: Position,
        live_since: Position,
        documents: Arc<Documents>,
    ) -> FlagSnapshot {
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
    pub(super) fn renumbered(&self, changed_at: Position) -> FlagSnapshot {
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

    #[inline]
    pub fn key(&self) -> &FlagKey {
        &self.key
    }

    /// Whether its state is the same as this one.
    pub(super) fn has(&self, state: &State) -> bool {
        self.state.is(state)
    }

    /// The position at which this flag last changed.
    #[inline]
    pub fn changed_position(&self) -> Position {
        self.changed_at
    }

    /// Whether an operator stopped it.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        match &self.state {
            State::Usable(flag) => flag.stopped,
            State::Unusable { stopped } => *stopped,
        }
    }

    /// The position at which this flag last changed, as a header value.
    #[inline]
    pub fn changed_at(&self) -> &Bytes {
        &self.changed_at_text
    }

    /// The position at which these documents first went live here. Committing a pending change does
    /// not alter it, so that no client is notified twice.
    #[inline]
    pub fn live_since(&self) -> Position {
        self.live_since
    }

    /// The document of one outcome, counted as answered.
    #[inline]
    pub fn document<R>(&self, resolution: Resolution, use_it: impl FnOnce(&Document) -> R) -> R {
        self.documents.with(resolution, use_it)
    }

    /// The document of one outcome, for comparing without counting.
    #[inline]
    pub fn document_uncounted<R>(
        &self,
        resolution: Resolution,
        use_it: impl FnOnce(&Document) -> R,
    ) -> R {
        self.documents.document_uncounted(resolution, use_it)
    }

    /// The answer for one user.
    #[inline]
    pub fn evaluate(&self, server_auth: ServerAuth, context: &Context<'_>) -> Resolution {
        match &self.state {
            State::Usable(flag) => evaluate(flag, context, server_auth),
            State::Unusable { stopped: true } => Resolution::STOPPED_UNKNOWN,
            State::Unusable { stopped: false } => Resolution::ERROR,
        }
    }

    /// The index of a resolution's outcome; [`FlagSnapshot::picked`] returns its document.
    #[inline]
    pub fn pick(&self, resolution: Resolution) -> Pick {
        self.documents.pick(resolution)
    }

    #[inline]
    pub fn picked(&self, pick: Pick) -> Option<&Document> {
        self.documents.picked(pick)
    }

    /// Counts a picked outcome as answered.
    #[inline]
    pub fn answered(&self, pick: Pick) {
        self.documents.answered(pick);
    }

    /// Whether both serve the same documents to the same users.
    #[inline]
    pub fn shares_documents_with(&self, other: &FlagSnapshot) -> bool {
        Arc::ptr_eq(&self.documents, &other.documents)
    }

    /// The flag, if a good form is known.
    #[inline]
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
            (State::Unusable { stopped: mine }, State::Unusable { stopped: theirs }) => {
                mine == theirs
            }
            _ => false,
        }
    }
}

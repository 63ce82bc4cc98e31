//! What one client is to be told of a snapshot: the state that holds for it, if that is another than it was told.
//!
//! A flag whose documents are the same ones as before is not evaluated again, and an event that many are told is made once.

use std::sync::Arc;

use bytes::Bytes;

use super::frame::{self, First};
use super::limits::MAX_EVENT_BYTES;
use crate::convergence::Follows;
use crate::document::{Document, etag};
use crate::flag::{Context, FlagKey};
use crate::http::answer::all_flags;
use crate::http::auth::Asker;
use crate::http::question::Question;
use crate::snapshot::{Entry, Position, Snapshot};

/// Who listens.
pub struct Listener {
    pub question: Question<'static>,
    pub asker: Asker,
}

/// What a client has been told so far.
pub struct View {
    of: Of,
    /// The newest snapshot that was looked at.
    seen: Option<Arc<Snapshot>>,
    /// The tag of the state that was told.
    etag: Bytes,
}

enum Of {
    Flag(FlagKey, Listener),
    All(Listener),
    /// That anything changed.
    Changes,
}

/// What comes of looking at a snapshot.
pub enum Look {
    /// What was told holds.
    Same,
    /// Something else holds from this position on.
    Tell(Position, Bytes),
    /// There is no such flag.
    Gone,
}

impl View {
    pub fn of_listener(follows: Follows, listener: Listener) -> View {
        let of = match follows {
            Follows::Flag(flag) => Of::Flag(flag, listener),
            Follows::All | Follows::Changes => Of::All(listener),
        };
        View { of, seen: None, etag: Bytes::new() }
    }

    pub fn of_changes() -> View {
        View { of: Of::Changes, seen: None, etag: Bytes::new() }
    }

    /// The position that was looked at last.
    pub fn position(&self) -> Position {
        self.seen.as_ref().map(|seen| seen.position()).unwrap_or_default()
    }

    pub fn has_seen(&self, snapshot: &Snapshot) -> bool {
        self.seen.as_ref().is_some_and(|seen| std::ptr::eq(&**seen, snapshot))
    }

    /// Who it was let in as, if anybody asks.
    pub fn asker(&self) -> Option<&Asker> {
        match &self.of {
            Of::Flag(_, listener) | Of::All(listener) => Some(&listener.asker),
            Of::Changes => None,
        }
    }

    /// Whether its client can acknowledge.
    pub fn is_acknowledged(&self) -> bool {
        !matches!(self.of, Of::Changes)
    }

    /// Looks at a newer snapshot. The first time there is always something to tell.
    pub fn look(&mut self, snapshot: &Arc<Snapshot>, first: &First) -> Look {
        let seen = self.seen.replace(snapshot.clone());
        let first = seen.is_none().then_some(first);
        let position = snapshot.position();
        match &self.of {
            Of::Flag(flag, listener) => match (snapshot.flag(flag.as_str()), listener.context()) {
                (Some(entry), Some(context)) => {
                    let before = seen.as_ref().and_then(|seen| seen.flag(flag.as_str()));
                    if before.is_some_and(|before| before.serves_as(entry)) {
                        return Look::Same;
                    }
                    self.etag_of(snapshot, entry, &context).map_or(Look::Same, |etag| {
                        let look = tell_one(snapshot, entry, &context, first);
                        self.etag = etag;
                        look
                    })
                }
                (None, Some(_)) if snapshot.is_cold() => {
                    let document = Document::cold_start(flag.as_str(), snapshot.public_path());
                    let event = of_document(&document, position, first);
                    self.etag = document.etag;
                    Look::Tell(position, event)
                }
                _ => Look::Gone,
            },
            Of::All(listener) => {
                let Some(context) = listener.context() else { return Look::Gone };
                if seen.is_some_and(|seen| !differ(&seen, snapshot, &context)) {
                    return Look::Same;
                }
                let body = all_flags(snapshot, &context, |document| &document.strategy, "");
                self.etag = etag([&*body]);
                let event = match body.len() <= MAX_EVENT_BYTES {
                    true => frame::state("strategies", "documents", position, &self.etag, &body, first),
                    false => frame::tag("refetch", position, &self.etag, first),
                };
                Look::Tell(position, event)
            }
            Of::Changes => match seen {
                Some(seen) if is_shared(&seen, snapshot) => Look::Same,
                // Also to a client that has heard of this position: whether it then got an answer, nobody knows.
                _ => Look::Tell(position, frame::refetch(position, first.map(|first| first.retry_ms))),
            },
        }
    }

    /// A sign of life.
    pub fn heartbeat(&self) -> Bytes {
        match self.of {
            Of::Changes => frame::COMMENT,
            Of::Flag(..) | Of::All(_) => frame::tag("heartbeat", self.position(), &self.etag, None),
        }
    }

    /// The tag of a client's document, if it is another than the one that was told.
    fn etag_of(&self, snapshot: &Snapshot, entry: &Entry, context: &Context<'_>) -> Option<Bytes> {
        entry.peek(snapshot.evaluate(entry, context), |document| (document.etag != self.etag).then(|| document.etag.clone()))
    }
}

impl Listener {
    /// It was checked when the stream was opened.
    fn context(&self) -> Option<Context<'_>> {
        self.question.context(&self.asker).ok()
    }
}

fn tell_one(snapshot: &Snapshot, entry: &Entry, context: &Context<'_>, first: Option<&First>) -> Look {
    entry.document(snapshot.evaluate(entry, context), |document| match first {
        Some(_) => Look::Tell(snapshot.position(), of_document(document, snapshot.position(), first)),
        // All whose document this is are told it in the same words: it went live at one position.
        None => {
            let position = entry.live_since();
            Look::Tell(position, document.framed(|document| of_document(document, position, None)))
        }
    })
}

fn of_document(document: &Document, position: Position, first: Option<&First>) -> Bytes {
    frame::state("strategy", "document", position, &document.etag, &document.strategy, first)
}

/// Whether any flag's document is another for this client.
fn differ(before: &Snapshot, now: &Snapshot, context: &Context<'_>) -> bool {
    let tag =
        |snapshot: &Snapshot, entry: &Entry| entry.peek(snapshot.evaluate(entry, context), |document| document.etag.clone());
    before.flags().len() != now.flags().len()
        || before
            .flags()
            .iter()
            .zip(now.flags())
            .any(|(old, new)| old.key() != new.key() || !old.serves_as(new) && tag(before, old) != tag(now, new))
}

/// Whether both serve the same documents.
fn is_shared(before: &Snapshot, now: &Snapshot) -> bool {
    before.flags().len() == now.flags().len()
        && before.flags().iter().zip(now.flags()).all(|(old, new)| old.key() == new.key() && old.serves_as(new))
}

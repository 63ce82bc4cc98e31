//! What one client is to be sent for a snapshot: its current state, if that differs from what it
//! was sent before.
//!
//! Only flags whose documents changed are evaluated again, also for a stream of all flags, and an
//! event that goes to many clients is built once. No more of the context is kept than flags need;
//! when a flag needs more, the client has to send it again.

use std::sync::Arc;

use bytes::Bytes;

use super::event::{self, EventIds, StreamHello};
use super::limits::MAX_EVENT_BYTES;
use super::writer::Event;
use crate::document::Document;
use crate::flag::{ContextNeeds, FlagKey, Strategy};
use crate::http::public::{Caller, Every, KeptContext};
use crate::snapshot::{FlagSnapshot, Position, Snapshot};

/// What a client has been sent so far.
pub struct Subscriber {
    of: Of,
    /// The newest position that was looked at.
    seen: Option<Position>,
    /// The tag of the state that was sent.
    etag: Bytes,
    /// How many flags were evaluated since `take_decided` was last called.
    decided: usize,
}

enum Of {
    Flag {
        key: FlagKey,
        kept: KeptContext,
        entry: Option<Arc<FlagSnapshot>>,
        ids: EventIds,
        /// The strategy that was looked at last.
        strategy: Option<Strategy>,
    },
    All(Box<All>),
    /// Follows that anything changed.
    Changes(Arc<[Arc<FlagSnapshot>]>),
}

/// A stream of all flags.
struct All {
    kept: KeptContext,
    /// What the flags needed of a context when that was last looked at.
    asked: Arc<ContextNeeds>,
    every: Arc<Every>,
    /// The position the flags were evaluated at.
    decided_at: Position,
}

/// The result of looking at a snapshot.
pub enum Update {
    /// The state that was sent still holds.
    Same,
    /// Another state holds from this position on.
    Tell(Position, Event),
    /// The flag does not exist.
    Gone,
    /// A flag needs a part of the context that was not kept.
    AsksMore,
}

impl Subscriber {
    pub fn of_flag(key: FlagKey, kept: KeptContext) -> Subscriber {
        let (entry, ids, strategy) = (None, EventIds::Positions, None);
        Subscriber::new(Of::Flag { key, kept, entry, ids, strategy })
    }

    /// A realtime stream of a flag: its ids are cursors.
    pub fn of_realtime(key: FlagKey, kept: KeptContext) -> Subscriber {
        let (entry, ids, strategy) = (None, EventIds::Cursors, None);
        Subscriber::new(Of::Flag { key, kept, entry, ids, strategy })
    }

    /// Whether the strategy that was looked at last is `realtime-v2`.
    pub fn is_realtime(&self) -> bool {
        matches!(self.of, Of::Flag { strategy: Some(Strategy::RealtimeV2), .. })
    }

    /// Whether the strategy at a snapshot is `realtime-v2`. Nothing is sent for it.
    pub fn would_be_realtime(&self, snapshot: &Snapshot) -> bool {
        let Of::Flag { key, kept, .. } = &self.of else { return false };
        let entry = snapshot.flag(key.as_str());
        let strategy = entry
            .zip(kept.context())
            .map(|(entry, context)| snapshot.evaluate(entry, &context).strategy);
        strategy == Some(Strategy::RealtimeV2)
    }

    /// The flag that is followed, and the position at which it became what was looked at last.
    pub fn flag(&self) -> Option<(&FlagKey, Position)> {
        let Of::Flag { key, entry, .. } = &self.of else { return None };
        Some((key, entry.as_ref()?.live_since()))
    }

    /// A stream of all flags; `every` was evaluated at this snapshot.
    pub fn of_all(kept: KeptContext, mut every: Every, snapshot: &Snapshot) -> Subscriber {
        if every.len() > MAX_EVENT_BYTES {
            every.forget_picks();
        }
        let (asked, decided_at) = (snapshot.context_needs().clone(), snapshot.position());
        Subscriber::new(Of::All(Box::new(All { kept, asked, every: Arc::new(every), decided_at })))
    }

    pub fn of_changes(snapshot: &Snapshot) -> Subscriber {
        Subscriber::new(Of::Changes(snapshot.shared_flags().clone()))
    }

    fn new(of: Of) -> Subscriber {
        Subscriber { of, seen: None, etag: Bytes::new(), decided: 0 }
    }

    /// Bytes kept for it, about.
    pub fn bytes(&self) -> usize {
        match &self.of {
            Of::Flag { kept, .. } => kept.bytes(),
            Of::All(all) => all.kept.bytes() + all.every.picked_bytes(),
            Of::Changes(_) => 0,
        }
    }

    /// The position that was looked at last.
    pub fn position(&self) -> Position {
        self.seen.unwrap_or_default()
    }

    pub fn has_seen(&self, snapshot: &Snapshot) -> bool {
        self.seen == Some(snapshot.position())
    }

    /// How many flags were evaluated for it since the last call.
    pub fn take_decided(&mut self) -> usize {
        std::mem::take(&mut self.decided)
    }

    /// The caller it was let in as; `None` where the stream follows no user.
    pub fn caller(&self) -> Option<&Caller> {
        match &self.of {
            Of::Flag { kept, .. } => Some(kept.caller()),
            Of::All(all) => Some(all.kept.caller()),
            Of::Changes(_) => None,
        }
    }

    /// Whether its client can acknowledge.
    pub fn is_acknowledged(&self) -> bool {
        !matches!(self.of, Of::Changes(_))
    }

    /// Looks at a newer snapshot. The first time there is always something to send.
    pub fn look(&mut self, snapshot: &Snapshot, first: &StreamHello) -> Update {
        let seen = self.seen.replace(snapshot.position());
        let first = seen.is_none().then_some(first);
        match &mut self.of {
            Of::Flag { key, kept, entry, ids, strategy } => {
                let one = One { key, kept, ids: *ids };
                let state = (entry, strategy, &mut self.etag, &mut self.decided);
                look_at_one(snapshot, &one, state, first)
            }
            Of::All(all) => all.look(snapshot, (&mut self.etag, &mut self.decided), first),
            Of::Changes(entries) => {
                let same = seen.is_some_and(|seen| match snapshot.changed_since(seen) {
                    Some(places) => places.is_empty(),
                    None => are_the_same(entries, snapshot.flags()),
                });
                *entries = snapshot.shared_flags().clone();
                if same {
                    return Update::Same;
                }
                // Also to a client that has seen this position: it is unknown whether that client
                // then got an answer.
                let event =
                    event::refetch(snapshot.configured_at(), first.map(|first| first.retry_ms));
                Update::Tell(snapshot.position(), Event::ready(event))
            }
        }
    }

    /// A heartbeat.
    pub fn heartbeat(&self, wall_ms: i64) -> Bytes {
        match self.of {
            Of::Changes(_) => event::COMMENT,
            Of::Flag { ids: EventIds::Cursors, .. } => {
                event::heartbeat_of_realtime(self.position(), &self.etag, wall_ms)
            }
            Of::Flag { .. } | Of::All(_) => {
                event::tag("heartbeat", self.position(), &self.etag, None)
            }
        }
    }
}

/// A stream of one flag.
struct One<'s> {
    key: &'s FlagKey,
    kept: &'s KeptContext,
    ids: EventIds,
}

type Looked<'s> =
    (&'s mut Option<Arc<FlagSnapshot>>, &'s mut Option<Strategy>, &'s mut Bytes, &'s mut usize);

fn look_at_one(
    snapshot: &Snapshot,
    One { key, kept, ids }: &One<'_>,
    (seen, strategy, etag, decided): Looked<'_>,
    first: Option<&StreamHello>,
) -> Update {
    let ids = *ids;
    let (entry, context) = match (snapshot.flag(key.as_str()), kept.context()) {
        (Some(entry), Some(context)) => (entry, context),
        (None, Some(_)) if snapshot.is_cold() => {
            let document = Document::cold_start(key.as_str(), snapshot.public_path());
            let event = of_document(&document, snapshot.position(), first, ids);
            *strategy = Some(Strategy::Polling);
            *etag = document.etag;
            return Update::Tell(snapshot.position(), Event::ready(event));
        }
        _ => return Update::Gone,
    };
    let before = seen.replace(entry.clone());
    if before.is_some_and(|before| before.shares_documents_with(entry)) {
        return Update::Same;
    }
    if kept.lacks_any() && entry.flag().is_some_and(|flag| kept.lacks(&ContextNeeds::by(flag))) {
        return Update::AsksMore;
    }
    *decided += 1;
    let resolution = snapshot.evaluate(entry, &context);
    *strategy = Some(resolution.strategy);
    let pick = entry.pick(resolution);
    let Some(document) =
        entry.picked(pick).filter(|document| first.is_some() || document.etag != *etag)
    else {
        return Update::Same;
    };
    entry.answered(pick);
    *etag = document.etag.clone();
    match first {
        Some(_) => Update::Tell(
            snapshot.position(),
            Event::ready(of_document(document, snapshot.position(), first, ids)),
        ),
        None if ids == EventIds::Cursors => {
            let position = entry.live_since();
            Update::Tell(position, Event::ready(of_document(document, position, None, ids)))
        }
        // All clients with this document get the same event: it went live at one position.
        None => {
            let position = entry.live_since();
            let event = document.sse_event(|document| of_document(document, position, None, ids));
            Update::Tell(position, Event::ready(event))
        }
    }
}

impl All {
    fn look(
        &mut self,
        snapshot: &Snapshot,
        (etag, decided): (&mut Bytes, &mut usize),
        first: Option<&StreamHello>,
    ) -> Update {
        if self.kept.lacks_any() && !Arc::ptr_eq(&self.asked, snapshot.context_needs()) {
            self.asked = snapshot.context_needs().clone();
            if self.kept.lacks(&self.asked) {
                return Update::AsksMore;
            }
        }
        let Some(context) = self.kept.context() else { return Update::Gone };
        let every = Arc::make_mut(&mut self.every);
        let (differs, anew) = every.go_on_to(snapshot, self.decided_at, &context);
        *decided += anew;
        self.decided_at = snapshot.position();
        if !differs && first.is_none() {
            return Update::Same;
        }
        let position = snapshot.position();
        *etag = every.etag();
        if every.len() > MAX_EVENT_BYTES {
            every.forget_picks();
            return Update::Tell(
                position,
                Event::ready(event::tag("refetch", position, etag, first)),
            );
        }
        *decided += every.know_picks(snapshot.server_auth(), &context);
        every.answered();
        let bytes = event::head("strategies", "documents", position, etag, first);
        let stranger = self.kept.caller().is_stranger();
        Update::Tell(position, Event { bytes, state: Some(self.every.clone().windows()), stranger })
    }
}

fn of_document(
    document: &Document,
    position: Position,
    first: Option<&StreamHello>,
    ids: EventIds,
) -> Bytes {
    let Document { etag, strategy, .. } = document;
    event::state("strategy", "document", position, etag, strategy, first, ids)
}

/// Whether both lists serve the same documents.
fn are_the_same(before: &[Arc<FlagSnapshot>], now: &[Arc<FlagSnapshot>]) -> bool {
    before.len() == now.len()
        && before
            .iter()
            .zip(now)
            .all(|(old, new)| old.key() == new.key() && old.shares_documents_with(new))
}

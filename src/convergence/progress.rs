//! What is known of one stream, and what that proves about a change.
//!
//! Each delivery state is a word of its own (docs/GLOSSARY.md), and none is ever reported for another: only
//! what a client acknowledged itself counts as confirmed.

use crate::snapshot::Position;

/// How long a client may take to acknowledge an event: clients wait up to 500 ms so that they do
/// not all answer at once, and then the acknowledgement has to travel.
pub const ANSWERS_WITHIN_MS: u64 = 2_000;

/// What one stream was sent and what its client acknowledged. Times are milliseconds after some
/// fixed moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The newest position that was evaluated for this client; what had to be sent for it is
    /// written.
    evaluated: Option<Evaluated>,
    /// The document whose writing began last. A client may acknowledge it before the writer has
    /// recorded that it is written.
    sending: Option<Sending>,
    /// The newest position whose document was written to its last byte.
    sent: Option<Position>,
    /// The newest position the client acknowledged.
    acknowledged: Option<Position>,
    /// When the newest document was first acknowledged.
    confirmed_at_ms: Option<u64>,
    /// When the oldest event was written that the client has not answered yet.
    unanswered_since_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    /// The id of the document's event: the position at which the document first went live.
    position: Position,
    /// The position that was evaluated. The next heartbeat carries this one.
    looked_at: Position,
}

#[derive(Clone, Copy, Debug)]
struct Evaluated {
    position: Position,
    /// When this client's document was last evaluated anew.
    at_ms: u64,
}

/// What a stream proves about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// The client acknowledged the document that was sent to it.
    Confirmed,
    /// This client's document did not change, and the client answered the last heartbeat.
    NotNeeded,
    /// Written to a client that has never acknowledged anything.
    Told,
    /// None of the other three.
    Missing,
}

impl Progress {
    /// Records that `position` was evaluated and this client's document is still the one it was
    /// sent.
    pub fn unchanged(&mut self, position: Position, now_ms: u64) {
        self.evaluated = Some(Evaluated { position, at_ms: now_ms });
    }

    /// Records that a document is about to be written, as an event of `position`. The document
    /// holds at `looked_at`, which may be a later position.
    pub fn sending(&mut self, position: Position, looked_at: Position) {
        self.sending = Some(Sending { position, looked_at });
    }

    /// Records that the document passed to `sending` is written.
    pub fn sent(&mut self, now_ms: u64) {
        let Some(Sending { position, looked_at }) = self.sending else { return };
        self.unchanged(looked_at, now_ms);
        self.sent = Some(position);
        let answered = self.acknowledged >= Some(position);
        self.confirmed_at_ms = answered.then_some(now_ms);
        if !answered {
            self.unanswered_since_ms.get_or_insert(now_ms);
        }
    }

    /// Records that a heartbeat was written. It carries the position whose document this client
    /// holds, if nothing was lost.
    pub fn heartbeat_sent(&mut self, now_ms: u64) {
        self.unanswered_since_ms.get_or_insert(now_ms);
    }

    /// Records which position the client says it holds. Returns false if that position was never
    /// sent to the client.
    pub fn acknowledged(&mut self, position: Position, now_ms: u64) -> bool {
        let sending = self.sending.map(|sending| sending.position);
        let newest = sending.max(self.evaluated.map(|evaluated| evaluated.position));
        if Some(position) > newest {
            return false;
        }
        if self.sent.is_some_and(|sent| position >= sent) {
            self.confirmed_at_ms.get_or_insert(now_ms);
            self.unanswered_since_ms = None;
        }
        self.acknowledged = self.acknowledged.max(Some(position));
        true
    }

    /// What this stream proves about a change that went live at `target`.
    pub fn verdict(&self, target: Position, now_ms: u64) -> DeliveryState {
        if self.evaluated.is_none_or(|evaluated| evaluated.position < target) {
            return DeliveryState::Missing;
        }
        let needed = self.sent.is_some_and(|sent| sent >= target);
        match self.acknowledged {
            None => DeliveryState::Told,
            Some(held) if held >= target && needed => DeliveryState::Confirmed,
            Some(_) if needed => DeliveryState::Missing,
            Some(_) if self.answers(now_ms) => DeliveryState::NotNeeded,
            Some(_) => DeliveryState::Missing,
        }
    }

    /// When this stream's client held what went live at `target`; `None` while that is not proved.
    pub fn settled_at_ms(&self, target: Position, now_ms: u64) -> Option<u64> {
        match self.verdict(target, now_ms) {
            DeliveryState::Confirmed => self.confirmed_at_ms.or(Some(now_ms)),
            DeliveryState::NotNeeded => self.evaluated.map(|evaluated| evaluated.at_ms),
            DeliveryState::Told | DeliveryState::Missing => None,
        }
    }

    /// Whether the client answered the last event that it had time to answer.
    fn answers(&self, now_ms: u64) -> bool {
        self.unanswered_since_ms
            .is_none_or(|since| now_ms.saturating_sub(since) <= ANSWERS_WITHIN_MS)
    }
}

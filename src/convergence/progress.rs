//! What is known of one stream, and what that proves of a change.
//!
//! The four verdicts are those of DESIGN §6, and none is ever given for another: only what a client
//! said itself counts as confirmed.

use crate::snapshot::Position;

/// How long a client may take to acknowledge an event: it waits up to 500 ms so that not all answer
/// at once, and then has its way to go.
pub const ANSWERS_WITHIN_MS: u64 = 2_000;

/// What one stream was told and what its client said. Times are milliseconds after some fixed
/// moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The newest position that was looked at for this client; what it had to be told of it is
    /// written.
    evaluated: Option<Evaluated>,
    /// The document that was begun to be written last; a client may answer before the writer has
    /// noted that it is done.
    telling: Option<Sending>,
    /// The newest position a document was written at, to its last byte.
    told: Option<Position>,
    /// The newest position that was acknowledged.
    acknowledged: Option<Position>,
    /// When the newest document was first acknowledged.
    confirmed_at_ms: Option<u64>,
    /// When the first event was written that nothing was heard of since.
    unanswered_since_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    /// The id of its event: where the document first went live.
    position: Position,
    /// The position that was looked at. The next heartbeat carries this one.
    looked_at: Position,
}

#[derive(Clone, Copy, Debug)]
struct Evaluated {
    position: Position,
    /// When that client's answer was last worked out anew.
    at_ms: u64,
}

/// What is proved of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// The client said that it holds the document that was sent for it.
    Confirmed,
    /// This client's document did not change, and it answered the last heartbeat.
    NotNeeded,
    /// Written to a client that has never acknowledged anything.
    Told,
    /// None of these.
    Missing,
}

impl Progress {
    /// A position was looked at, and this client's document is the one it was told before.
    pub fn unchanged(&mut self, position: Position, now_ms: u64) {
        self.evaluated = Some(Evaluated { position, at_ms: now_ms });
    }

    /// A document is about to be written, as an event of `position`; it holds at the position that
    /// was looked at, which may be a later one.
    pub fn sending(&mut self, position: Position, looked_at: Position) {
        self.telling = Some(Sending { position, looked_at });
    }

    /// What was begun is written.
    pub fn sent(&mut self, now_ms: u64) {
        let Some(Sending { position, looked_at }) = self.telling else { return };
        self.unchanged(looked_at, now_ms);
        self.told = Some(position);
        let answered = self.acknowledged >= Some(position);
        self.confirmed_at_ms = answered.then_some(now_ms);
        if !answered {
            self.unanswered_since_ms.get_or_insert(now_ms);
        }
    }

    /// A heartbeat was written. It carries a position, whose document this client holds if nothing
    /// was lost.
    pub fn heartbeat_sent(&mut self, now_ms: u64) {
        self.unanswered_since_ms.get_or_insert(now_ms);
    }

    /// The client said which position it holds. False if it was never told of it.
    pub fn acknowledged(&mut self, position: Position, now_ms: u64) -> bool {
        let telling = self.telling.map(|telling| telling.position);
        let newest = telling.max(self.evaluated.map(|evaluated| evaluated.position));
        if Some(position) > newest {
            return false;
        }
        if self.told.is_some_and(|told| position >= told) {
            self.confirmed_at_ms.get_or_insert(now_ms);
            self.unanswered_since_ms = None;
        }
        self.acknowledged = self.acknowledged.max(Some(position));
        true
    }

    /// What this stream proves of a change that went live at `target`.
    pub fn verdict(&self, target: Position, now_ms: u64) -> DeliveryState {
        if self.evaluated.is_none_or(|evaluated| evaluated.position < target) {
            return DeliveryState::Missing;
        }
        let needed = self.told.is_some_and(|told| told >= target);
        match self.acknowledged {
            None => DeliveryState::Told,
            Some(held) if held >= target && needed => DeliveryState::Confirmed,
            Some(_) if needed => DeliveryState::Missing,
            Some(_) if self.answers(now_ms) => DeliveryState::NotNeeded,
            Some(_) => DeliveryState::Missing,
        }
    }

    /// When this stream's client held what went live at `target`; `None` as long as that is not
    /// proved.
    pub fn settled_at_ms(&self, target: Position, now_ms: u64) -> Option<u64> {
        match self.verdict(target, now_ms) {
            DeliveryState::Confirmed => self.confirmed_at_ms.or(Some(now_ms)),
            DeliveryState::NotNeeded => self.evaluated.map(|evaluated| evaluated.at_ms),
            DeliveryState::Told | DeliveryState::Missing => None,
        }
    }

    /// Whether the client answered the last event it had time to answer.
    fn answers(&self, now_ms: u64) -> bool {
        self.unanswered_since_ms
            .is_none_or(|since| now_ms.saturating_sub(since) <= ANSWERS_WITHIN_MS)
    }
}

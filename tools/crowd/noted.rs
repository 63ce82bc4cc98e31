//! What the crowd has seen so far, counted.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::event::{Event, Kind};
use crate::position::Position;
use crate::stream::Stream;

#[derive(Default)]
pub struct Noted {
    pub documents: u64,
    pub heartbeats: u64,
    pub goodbyes: BTreeMap<String, u64>,
    /// Connections that ended after something was told on them.
    pub ended: u64,
    /// Attempts that came to nothing, by why: `503`, `no connection`.
    pub failed: BTreeMap<String, u64>,
    pub acknowledged: BTreeMap<u16, u64>,
    /// Positions that fell within a connection, and from one connection of a stream to its next.
    pub fell: u64,
    pub fell_between: u64,
    /// Documents that the stream held already, but for the first of a connection.
    pub needless: u64,
    /// Heartbeats with the tag of a document that the stream does not hold.
    pub unlike: u64,
    /// The newest position of all.
    pub newest: Position,
}

impl Noted {
    /// Compares an event with what its stream knew, and lets it know. True for a document.
    pub fn take(&mut self, stream: &mut Stream, event: Event) -> bool {
        if let Some(position) = event.position {
            self.fell += u64::from(stream.seen.is_some_and(|seen| position < seen));
            self.newest = self.newest.max(position);
        }
        let first = stream.seen.is_none();
        stream.seen = event.position.or(stream.seen);
        stream.ack_id = event.ack_id.or(stream.ack_id.take());
        let held = stream.holds.as_ref();
        match (event.kind, event.position, event.tag) {
            (Kind::Document, Some(position), Some(tag)) => {
                self.documents += 1;
                self.fell_between +=
                    u64::from(first && held.is_some_and(|(held, _)| position < *held));
                self.needless += u64::from(!first && held.is_some_and(|(_, held)| *held == tag));
                stream.holds = Some((position, tag));
                return true;
            }
            (Kind::Heartbeat, _, tag) => {
                self.heartbeats += 1;
                self.unlike += u64::from(tag.as_ref() != held.map(|(_, held)| held));
            }
            (Kind::Goodbye { reason, .. }, ..) => {
                *self.goodbyes.entry(reason.into()).or_default() += 1;
            }
            _ => {}
        }
        false
    }

    pub fn report(&self) -> Json {
        json!({
            "newest": self.newest.to_string(), "documents": self.documents, "heartbeats": self.heartbeats, "goodbyes": self.goodbyes,
            "ended": self.ended, "failed": self.failed, "acknowledged": self.acknowledged, "fell": self.fell,
            "fellBetween": self.fell_between, "needless": self.needless, "unlike": self.unlike,
        })
    }
}

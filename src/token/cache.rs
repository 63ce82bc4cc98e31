//! Verified tokens, found again by their fingerprint until they expire.
//!
//! A table of fixed size in which a token has a few places it may stand in: readers take no lock, and a newcomer drives out
//! what ends first among those places. What it costs to be driven out is one more signature check.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::session::{Fingerprint, Session};

/// The most verified tokens that are remembered.
pub const MAX_VERIFIED: usize = 65_536;
/// The places a token may stand in.
const PLACES: usize = 4;

pub struct Cache {
    slots: Box<[ArcSwapOption<Session>]>,
}

impl Cache {
    pub fn new() -> Cache {
        Cache { slots: (0..MAX_VERIFIED).map(|_| ArcSwapOption::empty()).collect() }
    }

    pub fn get(&self, fingerprint: &Fingerprint) -> Option<Arc<Session>> {
        self.places(fingerprint).iter().find_map(|slot| {
            let held = slot.load();
            held.as_ref().filter(|session| session.fingerprint() == fingerprint).cloned()
        })
    }

    pub fn put(&self, session: Arc<Session>, now: f64) {
        let ends = |slot: &&ArcSwapOption<Session>| match &*slot.load() {
            Some(held) if held.fingerprint() == session.fingerprint() => f64::NEG_INFINITY,
            Some(held) if held.is_live(now) => held.expires(),
            _ => 0.0,
        };
        let place = self.places(session.fingerprint()).iter().min_by(|one, other| ends(one).total_cmp(&ends(other)));
        if let Some(place) = place {
            place.store(Some(session));
        }
    }

    fn places(&self, fingerprint: &Fingerprint) -> &[ArcSwapOption<Session>] {
        let [a, b, c, d, ..] = *fingerprint;
        let row = u32::from_le_bytes([a, b, c, d]) as usize % (MAX_VERIFIED / PLACES);
        &self.slots[row * PLACES..][..PLACES]
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({MAX_VERIFIED} places)")
    }
}

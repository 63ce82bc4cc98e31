//! Users who ask without a stream: how many there are, and how many of them have asked since a
//! change.
//!
//! It is an estimate that costs an asker one store and no lock. A user has a place in a table by a
//! hash of its key and flag; what stands there is the flag and the time of the last question. Two
//! users of one place count as one, so with far more users than places it is a sample of them.
//! Nothing of a user can be read from it.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::fast::RandomState;

/// The table takes a quarter of a megabyte.
const PLACES: usize = 1 << 15;
/// Whoever has not asked for this long polls no more: more than the longest wait a client has,
/// `validForMs` twice.
const LATELY_MS: u64 = 120_000;
/// The low bits of a place tell the flag, the high ones the time.
const FLAG_BITS: u32 = 20;

/// Asked for by whoever asks for all at once; no flag has this key.
pub const EVERY_FLAG: &str = "";

#[derive(Debug)]
pub struct Pollers {
    table: Box<[AtomicU64]>,
    seed: RandomState,
    /// The time, as whoever keeps it last said.
    now_ms: AtomicU64,
}

/// How many users asked lately, and how many of these since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollersSeen {
    pub seen: usize,
    pub asked_since: usize,
}

impl Default for Pollers {
    fn default() -> Pollers {
        let table = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Pollers { table, seed: RandomState::default(), now_ms: AtomicU64::new(0) }
    }
}

impl Pollers {
    /// Tells the time from now on.
    pub fn tick(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Relaxed);
    }

    /// Somebody asked for a flag.
    pub fn record(&self, flag: &str, user: &str) {
        let mut hasher = self.seed.build_hasher();
        hasher.write(user.as_bytes());
        hasher.write(flag.as_bytes());
        let place = hasher.finish() as usize % PLACES;
        // One that asked in the first millisecond counts from the second on.
        let asked = self.now_ms.load(Relaxed).max(1) << FLAG_BITS | self.tag(flag);
        self.table[place].store(asked, Relaxed);
    }

    /// Who asked for a flag, or for every flag, lately, and since a moment; without a flag, for
    /// any.
    pub fn seen(&self, flag: Option<&str>, since_ms: u64) -> PollersSeen {
        let now_ms = self.now_ms.load(Relaxed);
        // Before a change of late, who asked then is who has to ask again; of an older one
        // everybody who still asks has heard.
        let from_ms =
            if since_ms + LATELY_MS > now_ms { since_ms } else { now_ms }.saturating_sub(LATELY_MS);
        let tags = flag.map(|flag| [self.tag(flag), self.tag(EVERY_FLAG)]);
        let mut seen = PollersSeen::default();
        for place in &self.table {
            let asked = place.load(Relaxed);
            let at_ms = asked >> FLAG_BITS;
            let of_flag = tags.is_none_or(|tags| tags.contains(&(asked & ((1 << FLAG_BITS) - 1))));
            if asked != 0 && of_flag && at_ms >= from_ms {
                seen.seen += 1;
                seen.asked_since += usize::from(at_ms >= since_ms);
            }
        }
        seen
    }

    fn tag(&self, flag: &str) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(flag.as_bytes());
        hasher.finish() & ((1 << FLAG_BITS) - 1)
    }
}

//! Users who ask without a stream: how many there are, and how many of them have asked since a
//! change.
//!
//! The numbers are estimates. Recording a request costs one atomic store and no lock. The hash of a
//! user's key and the flag picks a slot in a table; the slot keeps a tag of the flag and the time
//! of the last request. Two users in one slot count as one, so with far more users than slots the
//! table is a sample. No user can be read from it.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::fast::RandomState;

/// Number of slots. The table takes a quarter of a megabyte.
const SLOTS: usize = 1 << 15;
/// A user who has not asked for this long no longer counts as polling. It is twice `validForMs`,
/// which is more than the longest wait of a client.
const LATELY_MS: u64 = 120_000;
/// The low bits of a slot hold the flag's tag, the high bits the time.
const FLAG_BITS: u32 = 20;

/// Stands for a request for all flags; no flag has this key.
pub const EVERY_FLAG: &str = "";

#[derive(Debug, Default)]
pub struct Pollers {
    /// Made at the first request.
    table: OnceLock<Box<[AtomicU64]>>,
    seed: RandomState,
    /// The time in milliseconds, as the last `tick` set it.
    now_ms: AtomicU64,
}

/// How many users asked lately, and how many of them since a given moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollersSeen {
    pub seen: usize,
    pub asked_since: usize,
}

impl Pollers {
    /// Sets the current time.
    pub fn tick(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Relaxed);
    }

    /// Records that `user` asked for `flag`.
    pub fn record(&self, flag: &str, user: &str) {
        let mut hasher = self.seed.build_hasher();
        hasher.write(user.as_bytes());
        hasher.write(flag.as_bytes());
        let slot = hasher.finish() as usize % SLOTS;
        // A request in the first millisecond counts from the second one, since 0 marks an empty
        // slot.
        let asked = self.now_ms.load(Relaxed).max(1) << FLAG_BITS | self.tag(flag);
        let table = self.table.get_or_init(|| (0..SLOTS).map(|_| AtomicU64::new(0)).collect());
        table[slot].store(asked, Relaxed);
    }

    /// Users who asked for `flag` (or for every flag) lately, and those who asked since `since_ms`.
    /// Without a flag, users of any flag.
    pub fn seen(&self, flag: Option<&str>, since_ms: u64) -> PollersSeen {
        let now_ms = self.now_ms.load(Relaxed);
        // After a recent change, the users who asked shortly before it are those who have to ask
        // again. A change older than that has reached everyone who still asks.
        let from_ms =
            if since_ms + LATELY_MS > now_ms { since_ms } else { now_ms }.saturating_sub(LATELY_MS);
        let tags = flag.map(|flag| [self.tag(flag), self.tag(EVERY_FLAG)]);
        let mut seen = PollersSeen::default();
        for slot in self.table.get().into_iter().flatten() {
            let asked = slot.load(Relaxed);
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

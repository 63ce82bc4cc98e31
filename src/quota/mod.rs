//! How many answers a user gets in any 60 s: one table of limits, and an exact count of each user.
//! Floor 2.
//!
//! Pure: callers hand in the time. A user is known here by a keyed hash alone. The count begins anew
//! with the process. Several nodes count together where a store that they share joins `Counter`.

mod log;
mod policy;
mod table;

use std::array;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

pub use policy::{Policy, WINDOW_MS};

use log::Usage;
use table::Table;

/// Tables of a policy, each behind a lock of its own.
const SHARDS: usize = 16;

/// The counts of all users.
#[derive(Default)]
pub struct Quota {
    counter: Counter,
    refused: [AtomicU64; Policy::ALL.len()],
}

/// Where answers are counted.
#[derive(Debug)]
enum Counter {
    /// In this process alone.
    Memory(MemoryCounter),
}

/// What is decided about one answer, and what the user has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub policy: Policy,
    /// Whether the user gets the answer.
    pub is_allowed: bool,
    /// How many answers the user could have now.
    pub left: u8,
    /// Milliseconds until one more is free.
    pub free_in_ms: u32,
}

impl Quota {
    /// Counts an answer of a user, if there is one left.
    pub fn take(&self, policy: Policy, user: &str, now_ms: i64) -> Decision {
        let Counter::Memory(memory) = &self.counter;
        let (is_allowed, usage) = memory.with(policy, user, |t, u| t.take(u, time(now_ms)));
        if !is_allowed {
            self.refused[policy as usize].fetch_add(1, Relaxed);
        }
        Decision::new(policy, is_allowed, usage)
    }

    /// What a user has left, for an answer that was counted before.
    pub fn look(&self, policy: Policy, user: &str, now_ms: i64) -> Decision {
        let Counter::Memory(memory) = &self.counter;
        let usage = memory.with(policy, user, |t, u| t.look(u, time(now_ms)));
        Decision::new(policy, true, usage)
    }

    /// How often each policy refused an answer.
    pub fn refused(&self) -> impl Iterator<Item = (Policy, u64)> {
        Policy::ALL.into_iter().map(|policy| (policy, self.refused[policy as usize].load(Relaxed)))
    }

    /// The bytes that the counts take, and how many users were forgotten before their window was
    /// over.
    pub fn size(&self) -> (usize, u64) {
        let Counter::Memory(memory) = &self.counter;
        let tables = memory.tables.iter().flatten();
        tables.fold((0, 0), |(bytes, evicted), table| {
            let table = table.lock().unwrap_or_else(PoisonError::into_inner);
            (bytes + table.bytes(), evicted + table.evicted())
        })
    }
}

impl Decision {
    fn new(policy: Policy, is_allowed: bool, usage: Usage) -> Decision {
        let left = policy.answers().saturating_sub(usage.count);
        Decision { policy, is_allowed, left, free_in_ms: usage.free_in_ms }
    }

    /// Whole seconds until one more answer is free; after them there is one.
    pub fn free_in_seconds(&self) -> u32 {
        self.free_in_ms.div_ceil(1_000)
    }
}

/// Counts in memory.
struct MemoryCounter {
    hash: RandomState,
    tables: [[Mutex<Table>; SHARDS]; Policy::ALL.len()],
}

impl MemoryCounter {
    fn with<T>(&self, policy: Policy, user: &str, act: impl FnOnce(&mut Table, u64) -> T) -> T {
        let hash = self.hash.hash_one(user);
        // The sets of a table go by the highest bits.
        let shard = &self.tables[policy as usize][hash as usize % SHARDS];
        act(&mut shard.lock().unwrap_or_else(PoisonError::into_inner), hash)
    }
}

impl Default for Counter {
    fn default() -> Counter {
        let table = |policy: Policy| Table::new(policy.answers(), policy.users() / SHARDS);
        let tables = Policy::ALL.map(|policy| array::from_fn(|_| Mutex::new(table(policy))));
        Counter::Memory(MemoryCounter { hash: RandomState::new(), tables })
    }
}

fn time(now_ms: i64) -> u64 {
    now_ms.max(0).unsigned_abs()
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Quota(redacted)")
    }
}

impl fmt::Debug for MemoryCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryCounter(redacted)")
    }
}

#[cfg(test)]
mod tests;

//! How much of a user's reports counts: as much as eight tabs can do, however many reports come.
//!
//! An allowance is time that tabs can have spent. It refills eight times as fast as time passes, up
//! to eight windows of the longest kind, so that eight honest tabs never find it empty. A user whose
//! allowance is full is like one that was never seen, and is forgotten when there is no room.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use turnout_api::bounds::MAX_REPORT_WINDOW_MS;

/// How many tabs a user may have.
const TABS: u64 = 8;
const FULL_MS: u64 = TABS * MAX_REPORT_WINDOW_MS;
/// How far apart two complaints of a user are that count both.
const COMPLAINT_MS: u64 = 60_000;
/// The most users whose allowances are kept: 13 MiB.
const MAX_USERS: usize = 400_000;
/// How far apart two searches for users to forget are.
const SWEEP_MS: u64 = 1_000;

/// What a user has left.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    left_ms: u32,
    /// When the next complaint counts, in seconds.
    complains_at_s: u32,
    /// When it was last taken from.
    at_ms: u64,
}

/// How much of a report counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    All,
    WithoutComplaint,
    Nothing,
    NoRoom,
}

/// The allowances of all users, by a hash of the targeting key under a key of this process.
#[derive(Debug)]
pub struct Allowances {
    users: Mutex<Users>,
    hash: RandomState,
    max_users: usize,
}

#[derive(Debug, Default)]
struct Users {
    by_hash: HashMap<u64, Allowance, RandomState>,
    swept_ms: u64,
}

impl Default for Allowances {
    fn default() -> Allowances {
        Allowances::of(MAX_USERS)
    }
}

impl Allowances {
    fn of(max_users: usize) -> Allowances {
        Allowances { users: Mutex::default(), hash: RandomState::default(), max_users }
    }

    /// Takes the cost of a report from its user's allowance, and says how much of it counts.
    pub fn take(&self, user: &str, (cost_ms, complains): (u64, bool), now_ms: u64) -> Granted {
        let mut hasher = self.hash.build_hasher();
        hasher.write(user.as_bytes());
        let hash = hasher.finish();
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if !users.by_hash.contains_key(&hash) && !users.has_room(self.max_users, now_ms) {
            return Granted::NoRoom;
        }
        let allowance = users.by_hash.entry(hash).or_insert_with(|| Allowance::full(now_ms));
        allowance.take(cost_ms, complains, now_ms)
    }

    /// The memory it takes in bytes, about.
    pub fn bytes(&self) -> usize {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.by_hash.allocation_size()
    }
}

impl Users {
    /// Whether there is room for another user, perhaps after some are forgotten.
    fn has_room(&mut self, max_users: usize, now_ms: u64) -> bool {
        if self.by_hash.len() < max_users {
            return true;
        }
        if now_ms < self.swept_ms + SWEEP_MS {
            return false;
        }
        self.swept_ms = now_ms;
        self.by_hash.retain(|_, allowance| !allowance.is_new(now_ms));
        self.by_hash.len() < max_users
    }
}

impl Allowance {
    fn full(now_ms: u64) -> Allowance {
        Allowance { left_ms: FULL_MS as u32, complains_at_s: 0, at_ms: now_ms }
    }

    fn left_ms(&self, now_ms: u64) -> u64 {
        let passed = now_ms.saturating_sub(self.at_ms);
        passed.saturating_mul(TABS).saturating_add(self.left_ms.into()).min(FULL_MS)
    }

    /// Whether it is as that of a user who was never seen.
    fn is_new(&self, now_ms: u64) -> bool {
        self.left_ms(now_ms) == FULL_MS && u64::from(self.complains_at_s) * 1_000 <= now_ms
    }

    fn take(&mut self, cost_ms: u64, complains: bool, now_ms: u64) -> Granted {
        let Some(left_ms) = self.left_ms(now_ms).checked_sub(cost_ms) else {
            return Granted::Nothing;
        };
        *self = Allowance { left_ms: left_ms as u32, at_ms: now_ms, ..*self };
        if !complains {
            return Granted::All;
        }
        if now_ms < u64::from(self.complains_at_s) * 1_000 {
            return Granted::WithoutComplaint;
        }
        self.complains_at_s = ((now_ms + COMPLAINT_MS).div_ceil(1_000)) as u32;
        Granted::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    /// How many of these reports of one user count.
    fn counted(reports: impl IntoIterator<Item = (u64, u64)>) -> usize {
        let allowances = Allowances::default();
        let granted = |(now_ms, cost_ms)| allowances.take("u-1", (cost_ms, false), now_ms);
        reports.into_iter().map(granted).filter(|granted| *granted == Granted::All).count()
    }

    #[test]
    fn eight_honest_tabs_always_count() {
        // Each at another moment, some of them late, all at once after a time that was hidden.
        let minutes = |n: u64| (0..8).map(move |tab| (n * MINUTE + tab * 900, MINUTE));
        let late = |n: u64| (0..8).map(move |_| (n * MINUTE, 2 * MINUTE));
        let hour = (1..=60).flat_map(minutes).chain(late(62)).chain((63..=90).flat_map(minutes));
        assert_eq!(counted(hour), 8 * 60 + 8 + 8 * 28);
        assert_eq!(counted((1..=100).flat_map(|n| late(2 * n))), 800);
    }

    #[test]
    fn a_flood_counts_as_eight_tabs() {
        // A hundred reports a second, for ten minutes, each of a minute.
        let flood = (0..60_000).map(|n| (n * 10, MINUTE));
        assert_eq!(counted(flood), 16 + 8 * 10 - 1);
        let large = (0..60_000).map(|n| (n * 10, 2 * MINUTE));
        assert_eq!(counted(large), 8 + 4 * 10 - 1);
    }

    #[test]
    fn a_user_takes_nothing_from_another() {
        let allowances = Allowances::default();
        for _ in 0..100 {
            allowances.take("u-1", (2 * MINUTE, true), 0);
        }
        assert_eq!(allowances.take("u-1", (MINUTE, true), 0), Granted::Nothing);
        assert_eq!(allowances.take("u-2", (MINUTE, true), 0), Granted::All);
    }

    #[test]
    fn a_user_complains_once_a_minute() {
        let allowances = Allowances::default();
        let complain = |now_ms| allowances.take("u-1", (1_000, true), now_ms);
        for (now_ms, granted) in [
            (0, Granted::All),
            (10, Granted::WithoutComplaint),
            (59_999, Granted::WithoutComplaint),
            (60_000, Granted::All),
            (119_999, Granted::WithoutComplaint),
        ] {
            assert_eq!(complain(now_ms), granted, "at {now_ms}");
        }
    }

    #[test]
    fn users_with_a_full_allowance_are_forgotten_when_there_is_no_room() {
        let allowances = Allowances::of(3);
        let take = |user, now_ms| allowances.take(user, (MINUTE, false), now_ms);
        for user in ["a", "b", "c"] {
            assert_eq!(take(user, 1_000), Granted::All);
        }
        assert_eq!(take("d", 2_000), Granted::NoRoom, "all three have taken");
        assert_eq!(take("a", 2_000), Granted::All, "who is known goes on");
        assert_eq!(take("d", 2_000 + MINUTE / 8), Granted::All, "two are full again");
    }

    #[test]
    fn a_million_users_take_their_bound() {
        let allowances = Allowances::default();
        for n in 0..1_000_000u32 {
            allowances.take(&format!("u-{n}"), (1_000, false), 0);
        }
        assert!(allowances.bytes() <= 14 * 1024 * 1024, "{}", allowances.bytes());
    }
}

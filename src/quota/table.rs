//! The logs of many users, bounded in memory.
//!
//! A user has one place in one small set, found by a hash. In a full set, a log whose window is over
//! leaves first, then the one with the fewest answers: who asks most is forgotten last. The table
//! begins small and doubles while it may, so a service with few users takes little.

use super::log::{Log, RingState, Usage};

/// Places of a set.
const WAYS: usize = 32;

#[derive(Debug)]
pub struct Table {
    /// Times a log holds.
    answers: usize,
    max_sets: usize,
    /// What tells users apart within a set.
    tags: Vec<u64>,
    rings: Vec<RingState>,
    times: Vec<u16>,
    /// Logs that were forgotten while their window was not over.
    evicted: u64,
}

impl Table {
    /// A table of one set, which grows to this many users.
    pub fn new(answers: u8, users: usize) -> Table {
        let max_sets = (users / WAYS).next_power_of_two();
        Table::of_sets(1, answers.into(), max_sets, 0)
    }

    fn of_sets(sets: usize, answers: usize, max_sets: usize, evicted: u64) -> Table {
        Table {
            answers,
            max_sets,
            tags: vec![0; sets * WAYS],
            rings: vec![RingState::default(); sets * WAYS],
            times: vec![0; sets * WAYS * answers],
            evicted,
        }
    }

    /// Counts one more answer of a user, if there is room for it.
    pub fn take(&mut self, user: u64, now_ms: u64) -> (bool, Usage) {
        let place = self.find(user).unwrap_or_else(|| self.make_room(user, now_ms));
        self.log(place).take(now_ms)
    }

    /// What stands in the log of a user.
    pub fn look(&mut self, user: u64, now_ms: u64) -> Usage {
        match self.find(user) {
            Some(place) => self.log(place).look(now_ms),
            None => Usage { count: 0, free_in_ms: 0 },
        }
    }

    pub fn bytes(&self) -> usize {
        self.tags.len()
            * (size_of::<u64>() + size_of::<RingState>() + self.answers * size_of::<u16>())
    }

    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn sets(&self) -> usize {
        self.tags.len() / WAYS
    }

    /// The first place of a user's set.
    fn set(&self, user: u64) -> usize {
        ((u128::from(user) * self.sets() as u128) >> 64) as usize * WAYS
    }

    fn find(&self, user: u64) -> Option<usize> {
        let set = self.set(user);
        let way = self.tags.get(set..set + WAYS)?.iter().position(|tag| *tag == user)?;
        Some(set + way)
    }

    /// A place for a user who has none.
    fn make_room(&mut self, user: u64, now_ms: u64) -> usize {
        let mut place = self.least_used(user, now_ms);
        while self.sets() < self.max_sets && self.rings[place].count() > 0 {
            self.grow(now_ms);
            place = self.least_used(user, now_ms);
        }
        self.evicted += u64::from(self.rings[place].count() > 0);
        self.tags[place] = user;
        self.rings[place] = RingState::default();
        place
    }

    /// The place in the user's set that is free, or whose log is the least used.
    fn least_used(&mut self, user: u64, now_ms: u64) -> usize {
        let set = self.set(user);
        let mut least = (set, (u8::MAX, u64::MAX));
        for place in set..set + WAYS {
            let count = self.log(place).look(now_ms).count;
            let use_of = (count, self.rings[place].newest_ms());
            if use_of < least.1 {
                least = (place, use_of);
            }
            if count == 0 {
                break;
            }
        }
        least.0
    }

    /// Twice as many sets, with the logs whose window is not over.
    fn grow(&mut self, now_ms: u64) {
        let twice = Table::of_sets(2 * self.sets(), self.answers, self.max_sets, self.evicted);
        let old = std::mem::replace(self, twice);
        for (from, (tag, ring)) in old.tags.iter().zip(&old.rings).enumerate() {
            if ring.count() > 0 {
                // A set becomes two, so there is a free place.
                let place = self.least_used(*tag, now_ms);
                self.tags[place] = *tag;
                self.rings[place] = *ring;
                let times = &old.times[from * old.answers..(from + 1) * old.answers];
                self.log(place).times.copy_from_slice(times);
            }
        }
    }

    fn log(&mut self, place: usize) -> Log<'_> {
        let times = place * self.answers..(place + 1) * self.answers;
        Log { ring: &mut self.rings[place], times: &mut self.times[times] }
    }
}

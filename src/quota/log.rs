//! When one user was answered, exactly: the times of the answers in the window.
//!
//! A time is kept as the low 16 bits of its milliseconds. That is exact, as a window is shorter than
//! the 65 s after which these repeat; the newest time is kept whole.

use super::policy::WINDOW_MS;

/// The log of one user, which lies in a table.
pub struct Log<'t> {
    pub ring: &'t mut RingState,
    /// A ring of as many places as there may be answers.
    pub times: &'t mut [u16],
}

/// The newest time, where the ring begins, and how many times it has, in one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingState(u64);

/// What a log says at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Answers in the window.
    pub count: u8,
    /// Milliseconds until the oldest of them leaves it; 0 where there is none.
    pub free_in_ms: u32,
}

impl RingState {
    pub fn count(self) -> u8 {
        self.0 as u8
    }

    pub fn newest_ms(self) -> u64 {
        self.0 >> 16
    }

    fn first(self) -> u8 {
        (self.0 >> 8) as u8
    }

    fn new(newest_ms: u64, first: u8, count: u8) -> RingState {
        RingState(newest_ms << 16 | u64::from(first) << 8 | u64::from(count))
    }
}

impl Log<'_> {
    /// Counts one more answer, if the window has room for it; and the log after that.
    pub fn take(&mut self, now_ms: u64) -> (bool, Usage) {
        let now_ms = self.forget(now_ms);
        let has_room = usize::from(self.ring.count()) < self.times.len();
        if has_room {
            let (first, count) = (self.ring.first(), self.ring.count());
            let place = (usize::from(first) + usize::from(count)) % self.times.len();
            if let Some(time) = self.times.get_mut(place) {
                *time = now_ms as u16;
            }
            *self.ring = RingState::new(now_ms, first, count + 1);
        }
        (has_room, self.usage(now_ms))
    }

    /// The log as it is now.
    pub fn look(&mut self, now_ms: u64) -> Usage {
        let now_ms = self.forget(now_ms);
        self.usage(now_ms)
    }

    /// Forgets the answers that have left the window. Returns the time that counts: two requests
    /// may come here in another order than they read the clock.
    fn forget(&mut self, now_ms: u64) -> u64 {
        let newest_ms = self.ring.newest_ms();
        let now_ms = now_ms.max(newest_ms);
        let (mut first, mut count) = (self.ring.first(), self.ring.count());
        if now_ms - newest_ms > WINDOW_MS {
            count = 0;
        }
        // An answer at either end of the window is in it.
        while count > 0 && self.age(first, now_ms) > WINDOW_MS {
            first = if usize::from(first) + 1 < self.times.len() { first + 1 } else { 0 };
            count -= 1;
        }
        *self.ring = RingState::new(newest_ms, first, count);
        now_ms
    }

    /// How long ago the answer at a place was given.
    fn age(&self, place: u8, now_ms: u64) -> u64 {
        let newest_ms = self.ring.newest_ms();
        let time = self.times.get(usize::from(place)).copied().unwrap_or_default();
        now_ms - newest_ms + u64::from((newest_ms as u16).wrapping_sub(time))
    }

    fn usage(&self, now_ms: u64) -> Usage {
        let count = self.ring.count();
        let free_in_ms = match count {
            0 => 0,
            _ => (WINDOW_MS + 1).saturating_sub(self.age(self.ring.first(), now_ms)) as u32,
        };
        Usage { count, free_in_ms }
    }
}

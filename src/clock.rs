//! The only module that reads the clocks.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

use crate::moment::Moment;

/// The zero point of steady time.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The clocks that decide whether something has ended: the system's clocks, or in tests the same
/// with the wall clock set.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// By how many milliseconds the wall clock is set forward.
    set_by_ms: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// A clock whose wall clock can be set, and the offset that sets it.
    pub fn that_can_be_set() -> (Clock, Arc<AtomicI64>) {
        let set_by_ms = Arc::new(AtomicI64::new(0));
        (Clock { set_by_ms: Some(set_by_ms.clone()) }, set_by_ms)
    }

    /// The current time of both clocks.
    pub fn now(&self) -> Moment {
        let steady_ms = i64::try_from(START.elapsed().as_millis()).unwrap_or(i64::MAX);
        Moment { wall_ms: self.wall_ms(), steady_ms }
    }

    /// The current wall time, in milliseconds since 1970.
    pub fn wall_ms(&self) -> i64 {
        let set_by_ms = self.set_by_ms.as_ref().map_or(0, |by| by.load(Relaxed));
        wall_ms().saturating_add(set_by_ms)
    }
}

impl From<SystemTime> for Moment {
    /// A moment of which only the wall time is known. The steady time is computed as if both clocks
    /// ran alike.
    fn from(wall: SystemTime) -> Moment {
        let ms = unix_ms(wall);
        Moment { wall_ms: ms, steady_ms: ms }
    }
}

/// The current wall time. Code that decides a strategy must not call this.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The current wall time, in milliseconds since 1970.
pub fn wall_ms() -> i64 {
    unix_ms(wall())
}

/// A time in milliseconds since 1970; an earlier time gives 0.
pub fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().min(i64::MAX as u128) as i64)
}

/// A time in RFC 3339, such as `2026-11-23T08:15:00Z`.
pub fn utc(milliseconds: i64) -> String {
    let seconds = milliseconds.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years that begin in March have their leap day at the end; 400 of these years have 146,097
    // days.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * era + year + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

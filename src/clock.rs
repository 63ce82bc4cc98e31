//! The only module that reads the time of day; durations are measured where they are needed.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

use crate::moment::Moment;
pub use crate::moment::{unix_ms, utc};

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

/// The current wall time. Code that decides a strategy must not call this.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The current wall time, in milliseconds since 1970.
pub fn wall_ms() -> i64 {
    unix_ms(wall())
}

//! The only reader of the wall clock.

use std::time::SystemTime;

/// Now. Nothing that decides a strategy may ask.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Now, in milliseconds since 1970.
pub fn wall_ms() -> i64 {
    let since = wall().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis().min(i64::MAX as u128) as i64)
}

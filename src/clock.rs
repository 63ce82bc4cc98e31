//! The only reader of the wall clock.

use std::time::SystemTime;

/// Now. Nothing that decides a strategy may ask.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

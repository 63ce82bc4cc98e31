//! When a failed delivery is tried again: after a random time up to a bound that doubles, so that
//! many waiting senders do not come back at once.

use std::time::Duration;

use crate::auth::random_number;

const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(60);

/// The longest wait after so many failures in a row.
pub fn longest_wait(failures: u32) -> Duration {
    let doubled = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST.saturating_mul(doubled).min(MOST)
}

/// A random wait after so many failures in a row.
pub fn wait(failures: u32) -> Duration {
    let longest = longest_wait(failures);
    // If the system provides no randomness, the wait is the longest.
    let share = random_number().unwrap_or(u64::MAX);
    Duration::from_nanos(((longest.as_nanos() * u128::from(share)) >> 64) as u64)
}

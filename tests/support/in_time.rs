//! What must happen before a deadline that the service itself keeps: on a busy machine the deadline
//! may pass before the test has looked, and then the look says nothing.

use std::time::{Duration, Instant};

use super::PATIENCE;

/// A deadline that began when this was made.
pub struct TimeLeft {
    begun: Instant,
    allowed: Duration,
}

impl TimeLeft {
    pub fn of(allowed: Duration) -> TimeLeft {
        TimeLeft { begun: Instant::now(), allowed }
    }

    /// Checks what must hold before the deadline, or returns `None` if it may have passed: then the
    /// attempt says nothing, and another one is made.
    pub fn judge(&self, check: impl FnOnce()) -> Option<()> {
        if self.begun.elapsed() >= self.allowed {
            return None;
        }
        check();
        Some(())
    }
}

/// Makes attempts with more and more time, until one looked before its deadline.
pub async fn in_time<T>(first: Duration, attempt: impl AsyncFn(Duration) -> Option<T>) -> T {
    let mut allowed = first;
    loop {
        if let Some(result) = attempt(allowed).await {
            return result;
        }
        assert!(allowed < PATIENCE, "the machine is too busy to look within {allowed:?}");
        allowed *= 2;
    }
}

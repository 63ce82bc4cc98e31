//! Who evaluates every flag at once.

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// How many such responses to strangers are evaluated at once; callers with a credential have as
/// many again.
const AT_ONCE: usize = 1;

/// Who evaluates every flag at once: a few callers at a time, strangers apart from those with a
/// credential, so that a question for one flag never waits behind thousands.
#[derive(Debug)]
pub struct Turns {
    strangers: Semaphore,
    others: Semaphore,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { strangers: Semaphore::new(AT_ONCE), others: Semaphore::new(AT_ONCE) }
    }
}

impl Turns {
    /// Waits for a turn. It never fails, as the semaphores are never closed.
    pub async fn next(&self, stranger: bool) -> Result<SemaphorePermit<'_>, AcquireError> {
        if stranger { self.strangers.acquire().await } else { self.others.acquire().await }
    }
}

//! How many callers evaluate every flag at the same time.

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// How many such responses to strangers are evaluated at once; callers with a credential have as
/// many again.
const AT_ONCE: usize = 1;

/// How many callers evaluate every flag: a few at a time, strangers apart from those with a
/// credential, so that a question for one flag never waits behind thousands.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    strangers: Semaphore,
    others: Semaphore,
}

impl Default for ConcurrencyLimit {
    fn default() -> ConcurrencyLimit {
        ConcurrencyLimit { strangers: Semaphore::new(AT_ONCE), others: Semaphore::new(AT_ONCE) }
    }
}

impl ConcurrencyLimit {
    /// Waits for a permit. It never fails, as the semaphores are never closed.
    pub async fn acquire(&self, stranger: bool) -> Result<SemaphorePermit<'_>, AcquireError> {
        if stranger { self.strangers.acquire().await } else { self.others.acquire().await }
    }
}

//! One command at a time under an idempotency key.

use std::collections::HashMap;

use super::lock_order::{AsyncLock, AsyncLocked, Lock, Rank};

/// The idempotency keys of the running commands. Of several commands under one key, one runs at a
/// time. So what a command finds under its key is what the one before it did; it looks again only where
/// another program may have used the key meanwhile.
#[derive(Debug, Default)]
pub(super) struct KeyLocks(Lock<HashMap<String, AsyncLock<()>>>);

impl KeyLocks {
    /// Waits until no other command runs under this key.
    pub async fn lock(&self, key: &str) -> AsyncLocked<()> {
        let lock = self
            .0
            .lock()
            .entry(key.to_owned())
            .or_insert_with(|| AsyncLock::new(Rank::Key, ()))
            .clone();
        lock.lock().await
    }

    /// Unlocks a key, and removes it if no other command waits for it.
    pub fn unlock(&self, key: &str, lock: AsyncLocked<()>) {
        drop(lock);
        self.leave(key);
    }

    /// Removes a key if no command holds it or waits for it.
    pub fn leave(&self, key: &str) {
        let mut locks = self.0.lock();
        if locks.get(key).is_some_and(|lock| !lock.is_awaited()) {
            locks.remove(key);
        }
    }
}

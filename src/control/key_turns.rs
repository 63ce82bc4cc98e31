//! The turns of commands under one idempotency key.

use std::collections::HashMap;

use super::lock_order::{AsyncLock, AsyncLocked, Lock, Rank};

/// The idempotency keys of the running commands. Of several commands under one key, one runs at a
/// time. So each looks its key up once, and finds what the one before it did.
#[derive(Debug, Default)]
pub(super) struct KeyTurns(Lock<HashMap<String, AsyncLock<()>>>);

impl KeyTurns {
    /// Waits until no other command runs under this key.
    pub async fn take(&self, key: &str) -> AsyncLocked<()> {
        let turn = self
            .0
            .lock()
            .entry(key.to_owned())
            .or_insert_with(|| AsyncLock::new(Rank::Key, ()))
            .clone();
        turn.lock().await
    }

    /// Releases a turn, and the key if no other command waits for it.
    pub fn give_back(&self, key: &str, turn: AsyncLocked<()>) {
        drop(turn);
        let mut turns = self.0.lock();
        if turns.get(key).is_some_and(|turn| !turn.is_awaited()) {
            turns.remove(key);
        }
    }
}

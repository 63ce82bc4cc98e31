//! Turns: what many want to read of one stream at the same moment is read by one of them, for all.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use tokio::sync::{Mutex as Lock, MutexGuard};
use tokio::time::timeout;

use super::limits::READ_TIMEOUT;
use super::name::StreamKey;
use super::poll::PollError;

type Waiting = HashMap<StreamKey, Arc<Lock<()>>, RandomState>;

/// The streams that are being read: no more than there are callers.
#[derive(Debug, Default)]
pub struct Turns(Mutex<Waiting>);

/// A place among those who want the same stream.
#[derive(Debug)]
pub struct Turn<'t> {
    turns: &'t Turns,
    key: &'t StreamKey,
    lock: Arc<Lock<()>>,
}

impl Turns {
    pub fn of<'t>(&'t self, key: &'t StreamKey) -> Turn<'t> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = waiting.entry_ref(key).or_default().clone();
        Turn { turns: self, key, lock }
    }
}

impl Turn<'_> {
    /// Waits until the others are done; what they read is in memory then.
    pub async fn comes(&self) -> Result<MutexGuard<'_, ()>, PollError> {
        timeout(READ_TIMEOUT, self.lock.lock()).await.map_err(|_| PollError::Unavailable)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's own, and this one.
        if Arc::strong_count(&self.lock) == 2 {
            waiting.remove(self.key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_after_another_and_nothing_is_kept() {
        let turns = Turns::default();
        let (key, other) =
            (StreamKey::parse("a", "b-1").unwrap(), StreamKey::parse("a", "b-2").unwrap());
        let (first, second) = (turns.of(&key), turns.of(&key));
        let held = first.comes().await.unwrap();
        assert!(second.lock.try_lock().is_err());
        assert!(turns.of(&other).lock.try_lock().is_ok(), "another stream waits for none");
        drop(held);
        drop(second.comes().await.unwrap());
        drop(first);
        assert_eq!(turns.0.lock().unwrap().len(), 1);
        drop(second);
        assert_eq!(turns.0.lock().unwrap().len(), 0);
    }
}

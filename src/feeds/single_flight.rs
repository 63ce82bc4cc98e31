//! One read for many: what many want to read of one stream at the same moment is read by one of them, for all.

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
pub struct SingleFlight(Mutex<Waiting>);

/// A place among those who want the same stream.
#[derive(Debug)]
pub struct Flight<'t> {
    flights: &'t SingleFlight,
    key: &'t StreamKey,
    lock: Arc<Lock<()>>,
}

impl SingleFlight {
    pub fn join<'t>(&'t self, key: &'t StreamKey) -> Flight<'t> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = waiting.entry_ref(key).or_default().clone();
        Flight { flights: self, key, lock }
    }
}

impl Flight<'_> {
    /// Waits until the others are done; what they read is in memory then.
    pub async fn begin(&self) -> Result<MutexGuard<'_, ()>, PollError> {
        timeout(READ_TIMEOUT, self.lock.lock()).await.map_err(|_| PollError::Unavailable)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut waiting = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let flights = SingleFlight::default();
        let (key, other) =
            (StreamKey::parse("a", "b-1").unwrap(), StreamKey::parse("a", "b-2").unwrap());
        let (first, second) = (flights.join(&key), flights.join(&key));
        let held = first.begin().await.unwrap();
        assert!(second.lock.try_lock().is_err());
        assert!(flights.join(&other).lock.try_lock().is_ok(), "another stream waits for none");
        drop(held);
        drop(second.begin().await.unwrap());
        drop(first);
        assert_eq!(flights.0.lock().unwrap().len(), 1);
        drop(second);
        assert_eq!(flights.0.lock().unwrap().len(), 0);
    }
}

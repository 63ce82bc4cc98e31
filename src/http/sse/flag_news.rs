//! Wakes whatever waits for a change of a flag.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::flag::FlagKey;

/// What is to be woken, for each flag that is waited for.
#[derive(Debug, Default)]
pub struct FlagNews(Mutex<HashMap<FlagKey, Arc<Notify>>>);

impl FlagNews {
    /// What is notified at the next change of a flag.
    pub fn of(&self, flag: &FlagKey) -> Arc<Notify> {
        let mut waited_for = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waited_for.entry(flag.clone()).or_default().clone()
    }

    /// Wakes what waits for a flag that has changed.
    pub fn announce(&self, has_changed: impl Fn(&FlagKey) -> bool) {
        let mut waited_for = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is held here alone is not waited for any more.
        waited_for.retain(|_, news| Arc::strong_count(news) > 1);
        for (_, news) in waited_for.iter().filter(|(flag, _)| has_changed(flag)) {
            news.notify_waiters();
        }
    }
}

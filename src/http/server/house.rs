//! What all connections of a listener share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::activity::Activity;
use super::budget::Budget;
use super::heads::Heads;
use super::limits::{Limits, MAX_LONG_HEADS_BYTES};
use super::routes::Routes;

/// Responses that wait to be taken.
pub type Unread = Budget<Activity>;

/// What all connections of a listener share.
pub struct House {
    pub routes: Box<dyn Routes>,
    pub limits: Limits,
    pub unread: Arc<Unread>,
    pub heads: Arc<Heads>,
    /// Connections are closed one at a time.
    pub exit: Semaphore,
}

impl House {
    pub fn new(routes: Box<dyn Routes>, limits: Limits) -> House {
        let unread = Arc::new(Unread::new(limits.unread, limits.unread_of_strangers));
        let heads = Arc::new(Heads::new(MAX_LONG_HEADS_BYTES, MAX_LONG_HEADS_BYTES));
        House { routes, limits, unread, heads, exit: Semaphore::new(1) }
    }
}

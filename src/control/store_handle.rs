//! The database in use. Reading it waits for no commit; only the holder of the committer opens and
//! loses it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::committer::CommitError;
use super::lock_order::Lock;
use super::staleness::Staleness;
use crate::ledger::Head;
use crate::store::Store;

/// Which database is in use, and its status.
#[derive(Debug)]
pub(super) struct StoreHandle {
    /// `None` while it is out of reach or must not be written.
    current: ArcSwapOption<Store>,
    status: Lock<StoreStatus>,
    pub staleness: Arc<Staleness>,
}

/// The state of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    pub database: Database,
    /// The database's own name, once it is known.
    pub epoch: Option<String>,
    /// The newest head saved on disk: `history --verify` compares with it.
    pub saved_head: Option<Head>,
}

/// Whether the database can be read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Up,
    /// Out of reach since this time.
    Down {
        why: String,
        since_ms: i64,
    },
    /// Another database than before, or an older state of it: a person must decide.
    Held {
        why: String,
        since_ms: i64,
    },
}

impl StoreHandle {
    pub fn new(saved_head: Option<Head>) -> StoreHandle {
        let status = StoreStatus { database: Database::Up, epoch: None, saved_head };
        StoreHandle {
            current: ArcSwapOption::empty(),
            status: Lock::new(super::lock_order::Rank::Leaf, status),
            staleness: Arc::default(),
        }
    }

    /// The database, if it can be reached.
    pub fn get(&self) -> Option<Arc<Store>> {
        self.current.load_full()
    }

    pub fn is_open(&self) -> bool {
        self.current.load().is_some()
    }

    /// The database, or why there is none.
    pub fn require(&self) -> Result<Arc<Store>, CommitError> {
        self.get().ok_or_else(|| match self.database() {
            Database::Down { why, .. } => CommitError::Down(why),
            Database::Held { why, .. } => CommitError::Down(format!("it is not accepted: {why}")),
            Database::Up => CommitError::Down("it is being opened".to_owned()),
        })
    }

    pub fn put(&self, store: Arc<Store>) {
        self.current.store(Some(store));
    }

    pub fn take(&self) -> Option<Arc<Store>> {
        self.current.swap(None)
    }

    pub fn status(&self) -> StoreStatus {
        self.status.lock().clone()
    }

    pub fn database(&self) -> Database {
        self.status.lock().database.clone()
    }

    pub fn is_up(&self) -> bool {
        self.status.lock().database == Database::Up
    }

    pub fn is_held(&self) -> bool {
        matches!(self.status.lock().database, Database::Held { .. })
    }

    pub fn set_epoch(&self, epoch: String) {
        self.status.lock().epoch = Some(epoch);
    }

    pub fn set_kept(&self, head: Head) {
        self.status.lock().saved_head = Some(head);
    }

    /// The saved head belongs to another history.
    pub fn forget_saved_head(&self) {
        self.status.lock().saved_head = None;
    }

    /// Notes a state and returns the one before. Of one outage the first moment is kept.
    pub fn set(&self, new: Database) -> Database {
        let mut status = self.status.lock();
        let since = match &status.database {
            Database::Down { since_ms, .. } | Database::Held { since_ms, .. } => *since_ms,
            Database::Up => 0,
        };
        let new = match (&status.database, new) {
            (Database::Down { .. }, Database::Down { why, .. }) => {
                Database::Down { why, since_ms: since }
            }
            (Database::Held { .. }, Database::Held { why, .. }) => {
                Database::Held { why, since_ms: since }
            }
            (_, new) => new,
        };
        std::mem::replace(&mut status.database, new)
    }
}

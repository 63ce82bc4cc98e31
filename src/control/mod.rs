//! The one corridor for change. Floor 3.
//!
//! Whatever changes what is in force, an edit of the folder or an operator, comes here as a [`Change`] and leaves as a
//! swapped snapshot: swap, then announce, then acknowledge (law 7).

mod contact;
mod problems;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

pub use contact::Contact;
pub use problems::Problems;

use crate::definition::{Contents, Library};
use crate::flag::{FlagKey, ServerAuth};
use crate::live::Live;
use crate::snapshot::{Position, Snapshot};

/// What may change.
#[derive(Debug)]
pub enum Change {
    /// The flags folder was read.
    Folder(Contents),
    /// The emergency state: only `Resume` ends it (law 8).
    Stop(FlagKey),
    Resume(FlagKey),
}

/// What a change came to.
#[derive(Debug)]
pub struct Applied {
    /// The position that is live after it.
    pub position: Position,
    /// The flags whose effective form changed, and with it the position.
    pub changed: Vec<FlagKey>,
    /// Whether the list of problems is another than before.
    pub problems_changed: bool,
}

/// Lets one change through at a time.
#[derive(Debug)]
pub struct Corridor {
    state: Mutex<State>,
    live: Arc<Live>,
    problems: Arc<Problems>,
    contact: Arc<Contact>,
}

#[derive(Debug, Default)]
struct State {
    library: Library,
    stopped: BTreeSet<FlagKey>,
}

impl Corridor {
    pub fn new(server_auth: ServerAuth) -> Corridor {
        Corridor {
            state: Mutex::default(),
            live: Arc::new(Live::new(Snapshot::cold(server_auth))),
            problems: Arc::default(),
            contact: Arc::default(),
        }
    }

    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub fn problems(&self) -> &Arc<Problems> {
        &self.problems
    }

    pub fn contact(&self) -> &Arc<Contact> {
        &self.contact
    }

    /// Makes a change effective. When this returns, it is live and announced.
    pub fn apply(&self, change: Change) -> Applied {
        // A panic inside leaves the state between two changes at worst; the next reading of the folder mends it.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems_changed = false;
        match change {
            Change::Folder(contents) => {
                self.contact.note(contents.unreadable.is_none());
                problems_changed = self.problems.replace(state.library.update(&contents));
            }
            Change::Stop(key) => {
                state.stopped.insert(key);
            }
            Change::Resume(key) => {
                state.stopped.remove(&key);
            }
        }
        let changed = self.refresh(&state);
        Applied { position: self.live.current().position(), changed, problems_changed }
    }

    /// The only way state ever enters: what is known now becomes a snapshot, if it differs from the one that is live.
    fn refresh(&self, state: &State) -> Vec<FlagKey> {
        let current = self.live.current().clone();
        let position = Position { revision: current.position().revision + 1, pending: 0 };
        match current.next(position, state.library.flags(), &state.stopped) {
            Some((snapshot, changed)) => {
                self.live.publish(snapshot);
                changed
            }
            None => Vec::new(),
        }
    }
}

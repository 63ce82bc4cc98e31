//! The effective state and the live snapshot. State enters here and nowhere else: it becomes a
//! snapshot, which is swapped in and then announced (law 7).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use tokio::sync::watch;

use super::lock_order::{Lock, Locked, Rank};
use crate::auth::Credentials;
use crate::flag::FlagKey;
use crate::ledger::EffectiveState;
use crate::live::Live;
use crate::moment::Moment;
use crate::snapshot::Position;

/// Owns the effective state and makes it live.
#[derive(Debug)]
pub(super) struct ServedState {
    pub live: Arc<Live>,
    state: Lock<Arc<EffectiveState>>,
    pub credentials: watch::Sender<Arc<Credentials>>,
    /// The newest committed revision.
    pub revisions: watch::Sender<u64>,
}

/// The effective state, locked for reading and changing. Copies that readers have stay as they
/// were.
#[derive(Debug)]
pub(super) struct State<'a>(Locked<'a, Arc<EffectiveState>>);

/// What changed when a state went live.
pub(super) struct WentLive {
    pub credentials: Option<Arc<Credentials>>,
    pub live: Option<(Position, Vec<FlagKey>)>,
}

impl Deref for State<'_> {
    type Target = EffectiveState;

    fn deref(&self) -> &EffectiveState {
        &self.0
    }
}

impl DerefMut for State<'_> {
    fn deref_mut(&mut self) -> &mut EffectiveState {
        Arc::make_mut(&mut self.0)
    }
}

impl ServedState {
    pub fn new(live: Live, state: EffectiveState) -> ServedState {
        ServedState {
            live: Arc::new(live),
            state: Lock::new(Rank::State, Arc::new(state)),
            credentials: watch::Sender::default(),
            revisions: watch::Sender::new(0),
        }
    }

    pub fn state(&self) -> State<'_> {
        State(self.state.lock())
    }

    /// The effective state at this moment. Nothing is copied.
    pub fn shown(&self) -> Arc<EffectiveState> {
        self.state.lock().clone()
    }

    /// Makes a state live.
    pub fn go_live(&self, state: &EffectiveState, now: Moment) -> WentLive {
        let credentials = self.credentials.borrow().next(state, now).map(Arc::new);
        if let Some(credentials) = &credentials {
            self.credentials.send_replace(credentials.clone());
        }
        // An unknown flag is answered `polling` for as long as no flag was ever recorded, whatever
        // else was.
        if state.has_no_flags() && self.live.current().is_cold() {
            return WentLive { credentials, live: None };
        }
        let current = self.live.current().clone();
        let (snapshot, changed) =
            current.next(state.position(), state.effective_flags().into_iter());
        let position = snapshot.position();
        let is_newer = self.live.swap_in(snapshot);
        WentLive { credentials, live: is_newer.then_some((position, changed)) }
    }
}

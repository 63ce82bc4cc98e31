//! How the effective state goes live.

use super::served_state::{State, WentLive};
use super::{ControlEvent, Inner};
use crate::ledger::EffectiveState;

impl Inner {
    pub(super) fn state(&self) -> State<'_> {
        self.served.state()
    }

    /// Makes the present state live.
    pub(super) fn go_live(&self, state: &EffectiveState) {
        let WentLive { credentials, live } = self.served.go_live(state, self.clock.now());
        if let Some(credentials) = credentials {
            self.look_at_ends(&credentials);
        }
        if let Some((position, changed)) = live {
            self.learn_ends(state, &changed);
            (self.observer)(&ControlEvent::Live { position, changed });
        }
    }
}

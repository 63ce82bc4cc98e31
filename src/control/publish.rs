//! How the effective state goes live.

use super::publisher::{Published, State};
use super::{ControlEvent, Inner};
use crate::ledger::EffectiveState;

impl Inner {
    pub(super) fn state(&self) -> State<'_> {
        self.publisher.state()
    }

    /// Publishes the present state.
    pub(super) fn refresh(&self, state: &EffectiveState) {
        let Published { credentials, live } = self.publisher.publish(state, self.clock.now());
        if let Some(credentials) = credentials {
            self.look_at_ends(&credentials);
        }
        if let Some((position, changed)) = live {
            self.learn_ends(state, &changed);
            (self.observer)(&ControlEvent::Live { position, changed });
        }
    }
}

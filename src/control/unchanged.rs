//! What a command is answered that finds the state as it wants it.

use std::sync::Arc;

use tokio::time::Instant;

use super::{CommandOutcome, Inner};
use crate::flag::FlagKey;

impl Inner {
    /// The state may be as commanded by a change that is live and not yet saved. If that change
    /// would not survive a restart, the answer says so, as it did to the caller who made it.
    /// `flag` is the one that the command names; without one the command is about all flags.
    pub(super) async fn unchanged(self: &Arc<Self>, flag: Option<&FlagKey>) -> CommandOutcome {
        let pending: Vec<_> = {
            let state = self.state();
            let is_meant = |of: &FlagKey| flag.is_none_or(|flag| flag == of);
            let pending = state.pending().iter();
            pending.filter(|entry| entry.flags().any(is_meant)).cloned().collect()
        };
        if pending.is_empty() {
            return CommandOutcome::Unchanged;
        }
        let ids: Vec<_> = pending.iter().map(|entry| entry.id.clone()).collect();
        for entry in pending {
            let is_missing = !self.is_journaled(&entry.id) && self.is_pending(&entry.id);
            // What others did not wait for is journaled in its order.
            if is_missing && !self.is_journal_late() && !self.journal(entry, Instant::now()).await {
                return self.not_yet_saved();
            }
        }
        let is_whole = self.look_at_journal().await;
        let survives = |id: &String| self.is_journaled(id);
        let lost = ids.iter().find(|id| self.is_pending(id) && !(is_whole && survives(id)));
        lost.map_or(CommandOutcome::Unchanged, |_| self.not_yet_saved())
    }

    fn is_pending(&self, id: &str) -> bool {
        self.state().pending().named(id).is_some()
    }

    fn not_yet_saved(&self) -> CommandOutcome {
        let position = self.served.live.current().position();
        CommandOutcome::Pending { position, survives_restart: false, parts: Vec::new() }
    }
}

//! Which tokens of `admin.token` have ended. A backup, or a tool that keeps files as they were, may
//! put a revoked token back; it must not become valid again. So their fingerprints are kept beside
//! the file.

use std::sync::Arc;

use super::admin_token_state::EndedAdminTokens;
use super::{ControlEvent, Inner};

impl Inner {
    /// Reads which tokens have ended, at a start.
    pub(super) async fn read_ended_admin_tokens(&self, ended: &mut EndedAdminTokens) {
        let data = self.data.clone();
        let read = tokio::task::spawn_blocking(move || data.read_ended_admin_tokens()).await;
        match read {
            Ok(Ok(fingerprints)) => ended.fingerprints = fingerprints,
            _ => (self.observer)(&ControlEvent::AdminToken(
                "admin.token.ended cannot be read: a token that ended before this start is accepted if it is put back",
            )),
        }
    }

    /// Writes them down, if there is a new one. Returns whether the file holds them all; where it
    /// cannot be written, it is tried again with every look at the token.
    pub(super) async fn save_ended_admin_tokens(
        self: &Arc<Self>,
        ended: &mut EndedAdminTokens,
    ) -> bool {
        if ended.is_unsaved {
            let (data, all) = (self.data.clone(), ended.fingerprints.clone());
            let written =
                tokio::task::spawn_blocking(move || data.write_ended_admin_tokens(&all)).await;
            ended.is_unsaved = !matches!(written, Ok(Ok(())));
        }
        !ended.is_unsaved
    }
}

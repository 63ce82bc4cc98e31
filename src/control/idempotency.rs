//! Idempotency keys: a command that is sent again under its key is done once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{CommandOutcome, CommandRejected, CommandRequest, Inner};
use crate::store::Store;

/// How long the look-up of a key may delay a narrowing change.
const LOOK_UP_TIMEOUT: Duration = Duration::from_millis(200);

/// What an idempotency key stands for.
pub(super) enum KeyState {
    /// The command was carried out before.
    Known(CommandOutcome),
    /// Neither the database nor what is pending has it.
    New,
    /// The database did not answer.
    NotSaid,
}

impl Inner {
    /// Looks up what the key of a request stands for. It waits for the database no longer than a
    /// stop can wait.
    pub(super) async fn look_up(
        self: &Arc<Self>,
        request: &CommandRequest,
    ) -> Result<KeyState, CommandRejected> {
        if request.key.is_none() {
            return Ok(KeyState::New);
        }
        if let Some(outcome) = self.look_up_pending(request).await? {
            return Ok(KeyState::Known(outcome));
        }
        let Some(store) = self.store.get() else { return Ok(KeyState::NotSaid) };
        match timeout(LOOK_UP_TIMEOUT, look_up(&store, request)).await {
            Ok(Ok(Some(outcome))) => Ok(KeyState::Known(outcome)),
            Ok(Ok(None)) => Ok(KeyState::New),
            Ok(Err(CommandRejected::KeyReused)) => Err(CommandRejected::KeyReused),
            Ok(Err(_)) | Err(_) => Ok(KeyState::NotSaid),
        }
    }

    /// Looks among the commands that are live and not yet committed.
    async fn look_up_pending(
        self: &Arc<Self>,
        request: &CommandRequest,
    ) -> Result<Option<CommandOutcome>, CommandRejected> {
        let Some((key, hash)) = &request.key else { return Ok(None) };
        let pending = self.state().pending().request_of(key);
        match pending {
            None => Ok(None),
            Some(known) if known != Some(*hash) => Err(CommandRejected::KeyReused),
            Some(_) => {
                let survives_restart = self.survives(key).await;
                let position = self.served.live.current().position();
                Ok(Some(CommandOutcome::Pending { position, survives_restart, parts: Vec::new() }))
            }
        }
    }
}

/// The outcome of a command that was carried out before.
pub(super) async fn look_up(
    store: &Store,
    request: &CommandRequest,
) -> Result<Option<CommandOutcome>, CommandRejected> {
    let Some((key, request)) = &request.key else { return Ok(None) };
    match store.by_idempotency_key(key).await {
        Ok(Some(known)) if known.is_of(*request) => {
            Ok(Some(CommandOutcome::Repeated { revision: known.revision }))
        }
        Ok(Some(_)) => Err(CommandRejected::KeyReused),
        Ok(None) => Ok(None),
        Err(error) => Err(CommandRejected::Down(error.chain())),
    }
}

//! Idempotency keys: a command that is sent again under its key is done once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::lock_order::{AsyncLock, AsyncLocked, Lock, Rank};
use super::{CommandOutcome, CommandRejected, CommandRequest, Inner};
use crate::store::Store;

/// How long the look-up of a key may delay a narrowing change.
const LOOK_UP_TIMEOUT: Duration = Duration::from_millis(200);

/// The idempotency keys of the running commands. Of several commands under one key, one runs at a
/// time. So each looks its key up once, and finds what the one before it did.
#[derive(Debug, Default)]
pub(super) struct KeyTurns(Lock<HashMap<String, AsyncLock<()>>>);

/// What an idempotency key stands for.
pub(super) enum KeyState {
    /// The command was carried out before.
    Known(CommandOutcome),
    /// Neither the database nor what is pending has it.
    New,
    /// The database did not answer.
    NotSaid,
}

impl KeyTurns {
    /// Waits until no other command runs under this key.
    pub async fn take(&self, key: &str) -> AsyncLocked<()> {
        let turn = self
            .0
            .lock()
            .entry(key.to_owned())
            .or_insert_with(|| AsyncLock::new(Rank::Key, ()))
            .clone();
        turn.lock().await
    }

    /// Releases a turn, and the key if no other command waits for it.
    pub fn give_back(&self, key: &str, turn: AsyncLocked<()>) {
        drop(turn);
        let mut turns = self.0.lock();
        if turns.get(key).is_some_and(|turn| !turn.is_awaited()) {
            turns.remove(key);
        }
    }
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
                let position = self.publisher.live.current().position();
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

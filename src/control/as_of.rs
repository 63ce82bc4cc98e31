//! Finds a flag as it was at the revision that a rollback goes back to.

use super::{CommandRejected, CommandRequest, Inner};
use crate::flag::FlagKey;
use crate::ledger::{Attribution, Command, CommandError, ContentCache, FlagAsOf, UndoSearch};
use crate::store::{Store, StoreError};

/// A flag as it was at the revision a rollback goes back to.
pub(super) type AsOf = (FlagAsOf, ContentCache);

impl Inner {
    /// Reads what was in force at the revision a rollback goes back to.
    pub(super) async fn as_of(
        &self,
        store: &Store,
        request: &CommandRequest,
        mark: &Attribution,
    ) -> Result<AsOf, CommandRejected> {
        let (Command::Rollback { flag, to }, may_release) = (&request.command, request.may_release)
        else {
            return Err(CommandRejected::Unknown);
        };
        {
            let state = self.state();
            if state.flag(flag.as_str()).is_none() {
                return Err(CommandError::unknown(&state, flag).into());
            }
        }
        let Some(revision) = *to else {
            return self.before_newest_change(store, flag, (mark, may_release)).await;
        };
        if revision > self.state().catalog.head.revision || revision == 0 {
            return Err(CommandRejected::NoSuchRevision(revision));
        }
        let found = flag_as_of(store, flag, revision, may_release).await?;
        found.ok_or_else(|| CommandError::NothingThen { flag: flag.clone(), revision }.into())
    }

    /// What was in force before the newest change that is to be undone. One that left the flag as it
    /// is now is passed over: undoing it would change nothing, however often it is asked for.
    async fn before_newest_change(
        &self,
        store: &Store,
        flag: &FlagKey,
        (mark, may_release): (&Attribution, bool),
    ) -> Result<AsOf, CommandRejected> {
        let mut undoing = UndoSearch::default();
        while let Some(undone) = change_to_undo(store, flag, &mut undoing).await.map_err(down)? {
            let Some((mut then, content)) =
                flag_as_of(store, flag, undone - 1, may_release).await?
            else {
                break;
            };
            then.is_before_resume = undoing.passed_a_resume();
            let current = self.state().flag(flag.as_str()).unwrap_or_default();
            if then.is_before_resume || then.is_other_than(&current, mark) {
                return Ok((then, content));
            }
        }
        Err(CommandError::nothing_to_roll_back(&self.state(), flag).into())
    }
}

fn down(error: StoreError) -> CommandRejected {
    CommandRejected::Down(error.chain())
}

/// A flag as it was at a revision; `None` if it had no good definition then.
async fn flag_as_of(
    store: &Store,
    flag: &FlagKey,
    revision: u64,
    may_release: bool,
) -> Result<Option<AsOf>, CommandRejected> {
    let at = store.flag_at(flag.as_str(), revision).await.map_err(down)?;
    let Some((record, mut content)) = at else { return Ok(None) };
    let pinned = record.pin.as_ref().map(|pin| pin.definition);
    let Some(id) = pinned.or(record.definition) else { return Ok(None) };
    if content.read_flag(flag, &record).is_err() {
        return Ok(None);
    }
    let Some(definition) = content.definitions.get(&id).cloned() else { return Ok(None) };
    let held = record.split.as_ref();
    let split = held.map(|held| held.split).or(definition.rollout);
    let ends = held.and_then(|held| held.ends.clone());
    let then = FlagAsOf {
        revision,
        definition: (id, definition),
        split,
        ends,
        is_held: record.split.is_some(),
        is_before_resume: false,
        may_release,
    };
    Ok(Some((then, content)))
}

/// The revision of a flag's newest change that a rollback undoes. Only one page of the history is
/// in memory at a time, however long the history is.
async fn change_to_undo(
    store: &Store,
    flag: &FlagKey,
    undoing: &mut UndoSearch,
) -> Result<Option<u64>, StoreError> {
    loop {
        let steps = store.flag_actions(flag.as_str(), undoing.before()).await?;
        let none_older = steps.is_empty();
        let found = undoing.find(steps);
        if found.is_some() || none_older {
            return Ok(found);
        }
    }
}

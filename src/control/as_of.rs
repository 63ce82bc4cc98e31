//! Finds a flag as it was at the revision that a rollback goes back to.

use super::{CommandRejected, Inner};
use crate::flag::FlagKey;
use crate::ledger::{Command, CommandError, ContentCache, FlagAsOf, UndoSearch};
use crate::store::{Store, StoreError};

/// A flag as it was at the revision a rollback goes back to.
pub(super) type AsOf = (FlagAsOf, ContentCache);

impl Inner {
    /// Reads what was in force at the revision a rollback goes back to.
    pub(super) async fn as_of(
        &self,
        store: &Store,
        command: &Command,
    ) -> Result<AsOf, CommandRejected> {
        let Command::Rollback { flag, to } = command else { return Err(CommandRejected::Unknown) };
        let down = |error: StoreError| CommandRejected::Down(error.chain());
        {
            let state = self.state();
            if state.flag(flag.as_str()).is_none() {
                return Err(CommandError::unknown(&state, flag).into());
            }
        }
        let nothing_left = || CommandError::nothing_to_roll_back(&self.state(), flag);
        let mut undoing = UndoSearch::default();
        let revision = match to {
            Some(revision) => {
                let newest = self.state().catalog.head.revision;
                if *revision > newest || *revision == 0 {
                    return Err(CommandRejected::NoSuchRevision(*revision));
                }
                *revision
            }
            None => {
                let undone = change_to_undo(store, flag, &mut undoing).await.map_err(down)?;
                undone.ok_or_else(nothing_left)? - 1
            }
        };
        let at = store.flag_at(flag.as_str(), revision).await.map_err(down)?;
        let nothing = || match to {
            Some(_) => CommandError::NothingThen { flag: flag.clone(), revision },
            None => nothing_left(),
        };
        let (record, mut content) = at.ok_or_else(nothing)?;
        let id = record
            .pin
            .as_ref()
            .map(|pin| pin.definition)
            .or(record.definition)
            .ok_or_else(nothing)?;
        content.read_flag(flag, &record).map_err(|_| nothing())?;
        let definition = content.definitions.get(&id).cloned().ok_or_else(nothing)?;
        let held = record.split.as_ref();
        let split = held.map(|held| held.split).or(definition.rollout);
        let ends = held.and_then(|held| held.ends.clone());
        let is_before_resume = undoing.passed_a_resume();
        let definition = (id, definition);
        Ok((FlagAsOf { revision, definition, split, ends, is_before_resume }, content))
    }
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

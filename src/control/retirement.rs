//! Flags that were given up (`retired.txt`) and do not go yet, as an operator holds something of
//! them. A stop, above all, ends by `resume` alone.

use std::sync::Arc;

use super::{Inner, Problem, ProblemKind};
use crate::definition::DefinitionSet;
use crate::flag::FlagKey;
use crate::ledger::{EffectiveState, FlagEntry, FlagRecord};

/// The flags without a file that stay: each is a problem.
pub fn flags_without_a_file(state: &EffectiveState, definitions: &DefinitionSet) -> Vec<Problem> {
    let without = state.catalog.flags().filter(|(key, entry)| {
        entry.definition.is_some() && definitions.written_flag(key).is_none()
    });
    let problem = |(key, entry): (&FlagKey, &FlagEntry)| match definitions.is_retired(key) {
        true if entry.record.is_as_its_file() => None,
        true => Some(still_held(key, &entry.record)),
        false => Some(of_flag(
            key,
            format!("{key}.yaml is gone; the flag stays as it last was"),
            format!("bring the file back, or give the flag up: turnout retire {key}"),
        )),
    };
    without.filter_map(problem).collect()
}

impl Inner {
    /// Whether a flag that was given up can go now.
    pub(super) async fn can_retire(self: &Arc<Self>) -> bool {
        if !self.problems.has(ProblemKind::MissingFile) || self.is_held() {
            return false;
        }
        let can_go = |state: &EffectiveState, definitions: &DefinitionSet| {
            let mut flags = state.catalog.flags();
            state.pending().is_empty()
                && flags.any(|(key, entry)| {
                    definitions.is_retired(key) && entry.record.is_as_its_file()
                })
        };
        self.compare(can_go).await
    }
}

fn still_held(key: &FlagKey, record: &FlagRecord) -> Problem {
    let (what, command) = match record {
        FlagRecord { stop: Some(_), .. } => ("stopped", "resume"),
        _ => ("held", "unset"),
    };
    of_flag(
        key,
        format!("flag {key} is retired and stays as it is, for it is {what}"),
        format!("turnout {command} {key}; the flag goes once nothing is held over its file"),
    )
}

fn of_flag(key: &FlagKey, message: String, hint: String) -> Problem {
    Problem { kind: ProblemKind::MissingFile, subject: Some(key.to_string()), message, hint }
}

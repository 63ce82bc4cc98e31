//! Flags that were given up (`retired.txt`) and do not go yet, as an operator holds something of
//! them. A stop, above all, ends by `resume` alone.

use std::sync::Arc;

use super::{Inner, Problem, ProblemKind};
use crate::definition::DefinitionSet;
use crate::flag::FlagKey;
use crate::ledger::{EffectiveState, FlagEntry, FlagRecord};

/// The flags without a file that stay: each is a problem.
pub fn flags_without_a_file(state: &EffectiveState, definitions: &DefinitionSet) -> Vec<Problem> {
    let without = state
        .catalog
        .flags()
        .filter(|(key, entry)| !is_nothing(entry) && definitions.written_flag(key).is_none());
    let problem = |(key, entry): (&FlagKey, &FlagEntry)| match definitions.is_retired(key) {
        true if entry.record.is_as_its_file() => None,
        true => Some(still_held(key, &entry.record)),
        false if entry.definition.is_none() => Some(held_without(key, &entry.record)),
        false => Some(of_flag(
            key,
            format!("{key}.yaml is gone; the flag stays as it last was"),
            format!("bring the file back, or give the flag up: turnout retire {key}"),
        )),
    };
    without.filter_map(problem).collect()
}

impl Inner {
    /// Whether a flag that was given up can go now, or one that never had a file and over which nothing
    /// is held any more.
    pub(super) async fn can_retire(self: &Arc<Self>) -> bool {
        if !self.problems.has(ProblemKind::MissingFile) || self.is_held() {
            return false;
        }
        let can_go = |state: &EffectiveState, definitions: &DefinitionSet| {
            let mut flags = state.catalog.flags();
            state.pending().is_empty()
                && flags.any(|(key, entry)| {
                    is_nothing(entry)
                        || definitions.is_retired(key) && entry.record.is_as_its_file()
                })
        };
        self.compare(can_go).await
    }
}

/// Neither a definition, nor anything that an operator holds.
fn is_nothing(entry: &FlagEntry) -> bool {
    entry.record == FlagRecord::default()
}

/// What is held, and the command that gives it back.
fn held(record: &FlagRecord) -> (&'static str, &'static str) {
    match record {
        FlagRecord { stop: Some(_), .. } => ("stopped", "resume"),
        _ => ("held", "unset"),
    }
}

fn held_without(key: &FlagKey, record: &FlagRecord) -> Problem {
    let (what, command) = held(record);
    of_flag(
        key,
        format!("flag {key} has no file; it is {what} for when one comes"),
        format!("bring its file, or give it back: turnout {command} {key} --reason '…'"),
    )
}

fn still_held(key: &FlagKey, record: &FlagRecord) -> Problem {
    let (what, command) = held(record);
    of_flag(
        key,
        format!("flag {key} is retired and stays as it is, for it is {what}"),
        format!("turnout {command} {key}; the flag goes once nothing is held over its file"),
    )
}

fn of_flag(key: &FlagKey, message: String, hint: String) -> Problem {
    Problem { kind: ProblemKind::MissingFile, subject: Some(key.to_string()), message, hint }
}

//! Whether what a command asked for is in force now. A command that is sent again under its
//! idempotency key is done once: its effect may have been lifted since, and the response must not
//! read as if it were still in force.

use crate::ledger::{Command, EffectiveState, FlagEntry};

/// Whether the command is in force in this state; `revision` is the one it made, where it is saved.
pub fn is_in_force(effective: &EffectiveState, command: &Command, revision: Option<u64>) -> bool {
    // A flag that is served as stopped because its state is in doubt was not stopped by a command.
    let is = |flag: &str, test: &dyn Fn(&FlagEntry) -> bool| {
        effective.flag_as_known(flag).as_ref().is_some_and(test)
    };
    let is_stopped = |flag: &str| is(flag, &|entry| entry.record.stop.is_some());
    match command {
        Command::StopAll => effective.known_flags().all(|flag| is_stopped(flag.as_str())),
        Command::Stop { flag } => is_stopped(flag.as_str()),
        Command::Resume { flag, at: None } => !is_stopped(flag.as_str()),
        Command::Resume { flag, at: Some(share) } => is(flag.as_str(), &|entry| {
            let held = entry.record.split.as_ref().map(|held| held.split.realtime());
            entry.record.stop.is_none() && held == Some(*share)
        }),
        Command::Unset { flag } => {
            is(flag.as_str(), &|entry| entry.record.split.is_none() && entry.record.pin.is_none())
        }
        Command::Set { flag, realtime, disabled, .. } => is(flag.as_str(), &|entry| {
            let held = entry.record.split.as_ref().map(|held| held.split);
            held.is_some_and(|held| {
                realtime.is_none_or(|share| share == held.realtime())
                    && disabled.is_none_or(|share| share == held.disabled())
            })
        }),
        // What the rollback went back to is only known from its revision.
        Command::Rollback { flag, .. } => {
            is(flag.as_str(), &|entry| revision.is_none_or(|revision| entry.changed_at <= revision))
        }
    }
}

/// What an operator must learn of a command that another one took back at the same moment.
pub const OVERTAKEN: &str = "NOT so now: another change came at the same moment; see which with turnout history, and send it again";

/// What an operator must learn of a command that was done before and is no longer in force.
pub fn lifted_since(revision: u64) -> String {
    format!(
        "NOT so now: revision {revision} did this under the same key, and it was taken back since; send it again under a new key"
    )
}

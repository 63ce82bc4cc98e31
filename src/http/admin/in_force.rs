//! Whether what an order asked for is so now. An order that is sent again under its key is done
//! once: what it did may have been lifted since, and its answer must not be read as if it stood.

use crate::ledger::{Command, EffectiveState, FlagEntry};

/// Whether it is so in this state; `revision` is the one it made, where it is saved.
pub fn is_in_force(truth: &EffectiveState, wish: &Command, revision: Option<u64>) -> bool {
    // A flag that is served as stopped for doubt alone is not stopped by an order.
    let is = |flag: &str, test: &dyn Fn(&FlagEntry) -> bool| {
        truth.flag_as_known(flag).as_ref().is_some_and(test)
    };
    let is_stopped = |flag: &str| is(flag, &|entry| entry.record.stop.is_some());
    match wish {
        Command::StopAll => truth.book.flags().all(|(flag, _)| is_stopped(flag.as_str())),
        Command::Stop { flag } => is_stopped(flag.as_str()),
        Command::Resume { flag, .. } => !is_stopped(flag.as_str()),
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
        // What it went back to is told by its revision alone.
        Command::Rollback { flag, .. } => {
            is(flag.as_str(), &|entry| revision.is_none_or(|revision| entry.changed_at <= revision))
        }
    }
}

/// What an operator must hear of an order that was done before and is not so now.
pub fn lifted_since(revision: u64) -> String {
    format!(
        "NOT so now: revision {revision} did this under the same key, and it was taken back since; send it again under a new key"
    )
}

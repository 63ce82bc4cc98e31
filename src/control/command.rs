//! An operator's command, and its outcome.

use crate::flag::FlagKey;
use crate::ledger::{
    Action, Actor, Command, CommandError, ContentHash, Decision, PlannedChange, is_narrowing,
};
use crate::snapshot::Position;
use crate::store::StoredRevision;

/// A command, and who sent it.
#[derive(Clone, Debug)]
pub struct CommandRequest {
    pub command: Command,
    pub actor: Actor,
    pub reason: Option<String>,
    /// The caller's idempotency key, and the hash of the caller and the request: a request sent
    /// again under its key is done once.
    pub key: Option<(String, ContentHash)>,
    /// The revision the caller has seen.
    pub expected: Option<u64>,
    /// Whether this command may open `realtime-v2` to more users.
    pub may_widen: bool,
    /// Whether its caller may let go of what is held: a rollback of one who may not goes on holding.
    pub may_release: bool,
}

/// The outcome of a command. It holds once it is returned.
#[derive(Clone, Debug)]
pub enum CommandOutcome {
    /// Durable and live.
    Committed { revision: u64, parts: Vec<PlannedChange> },
    /// Live, but not known to be in the database.
    Pending { position: Position, survives_restart: bool, parts: Vec<PlannedChange> },
    /// The state already was as the command wants it.
    Unchanged,
    /// The same command was done before, under the same key.
    Repeated { revision: u64 },
}

/// Why a command was not reported as done. Every variant but `Unknown` means that nothing was
/// changed.
#[derive(Debug, thiserror::Error)]
pub enum CommandRejected {
    #[error(transparent)]
    Refused(#[from] CommandError),
    #[error("this opens a feature to more users, so it needs a reason")]
    ReasonNeeded,
    #[error("{}, and only narrowing is permitted here{}", why_not(.0), instead_of(.0))]
    MayOnlyNarrow(Box<Decision>),
    #[error("`{flag}` changed at revision {changed_at}, before this was done")]
    Moved { flag: FlagKey, changed_at: u64, since: Vec<StoredRevision> },
    #[error(
        "this idempotency key was used before, for another request or by another caller; nothing was done, send it again under a key of its own"
    )]
    KeyReused,
    #[error("the database is out of reach ({0}); stopping and lowering work all the same")]
    Down(String),
    /// A rollback reads the history, also where it would lower.
    #[error(
        "the database is out of reach ({why}), and a rollback reads the history there; what works all the same: turnout set {flag} SHARE, to lower it, and turnout stop {flag}"
    )]
    NoHistory { flag: FlagKey, why: String },
    #[error("the disk is full; stopping and lowering work all the same")]
    NoSpace,
    #[error(
        "the database did not say whether it is saved; look with `turnout history`, or ask again under the same idempotency key"
    )]
    Unknown,
    #[error("there is no revision {0}")]
    NoSuchRevision(u64),
    #[error(
        "there is a living token of the name `{0}` already, and the history must not take one for the other; revoke that one first, or choose another name"
    )]
    NameTaken(String),
    #[error("there are {limit} {what} already, the most there may be")]
    TooManyCredentials { what: &'static str, limit: usize },
}

impl CommandRejected {
    /// The same, for this command: what helps instead depends on what was asked for.
    pub fn of(self, command: &Command) -> CommandRejected {
        match (self, command) {
            (CommandRejected::Down(why), Command::Rollback { flag, .. }) => {
                CommandRejected::NoHistory { flag: flag.clone(), why }
            }
            (rejected, _) => rejected,
        }
    }
}

/// Why a change is more than one that narrows.
fn why_not(decided: &Decision) -> String {
    let back = decided.parts.iter().find_map(|part| match part.action {
        Action::Rollback { to } => Some((part, to)),
        _ => None,
    });
    let Some((part, to)) = back else {
        return "this would open realtime-v2 to more users, or close `disabled` to some, now or later, or take a hold away".to_owned();
    };
    let before = part.before.clone().unwrap_or_default();
    let (now, then) = (before.split().unwrap_or_default(), part.after.split().unwrap_or_default());
    let what = if then.realtime() > now.realtime() {
        format!("raise realtime-v2 from {} to {}", now.realtime(), then.realtime())
    } else if then.disabled() < now.disabled() {
        format!("take users out of `disabled`: {} instead of {}", then.disabled(), now.disabled())
    } else if before.record.pin != part.after.record.pin {
        "bring back another definition, and not a lower share alone".to_owned()
    } else if is_narrowing(&before, &part.after) {
        "take a hold away".to_owned()
    } else {
        "open realtime-v2 to more users, or close `disabled` to some, at a later moment".to_owned()
    };
    format!("going back to revision {to} would {what}")
}

/// What a caller can type who wanted to go back.
fn instead_of(decided: &Decision) -> String {
    let is_rollback = |part: &&PlannedChange| matches!(part.action, Action::Rollback { .. });
    let say = |part: &PlannedChange| {
        format!("; to lower it: turnout set {0} SHARE; to stop it: turnout stop {0}", part.flag)
    };
    decided.parts.iter().find(is_rollback).map(say).unwrap_or_default()
}

//! An operator's command, and its outcome.

use crate::flag::FlagKey;
use crate::ledger::{Actor, Command, CommandError, ContentHash, Decision, PlannedChange};
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
    /// Whether the caller may open `realtime-v2` to more users.
    pub may_widen: bool,
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
    #[error(
        "this would open realtime-v2 to more users, or close `disabled` to some, now or later, or take a hold away, and only narrowing is permitted here"
    )]
    MayOnlyNarrow(Box<Decision>),
    #[error("`{flag}` changed at revision {changed_at}, before this was done")]
    Moved { flag: FlagKey, changed_at: u64, since: Vec<StoredRevision> },
    #[error(
        "this idempotency key was used before, for another request or by another caller; nothing was done, send it again under a key of its own"
    )]
    KeyReused,
    #[error("the database is out of reach ({0}); stopping and lowering work all the same")]
    Down(String),
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

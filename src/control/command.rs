//! An operator's order, and what came of it.

use crate::flag::FlagKey;
use crate::ledger::{Actor, Command, CommandError, ContentHash, PlannedChange};
use crate::snapshot::Position;
use crate::store::StoredRevision;

/// A wish, and who has it.
#[derive(Clone, Debug)]
pub struct CommandRequest {
    pub wish: Command,
    pub actor: Actor,
    pub reason: Option<String>,
    /// A name the caller gave it, and the hash of who asked what under it: asked again, it is done
    /// once.
    pub key: Option<(String, ContentHash)>,
    /// The revision the caller looked at.
    pub expected: Option<u64>,
    /// Whether the caller may do what opens `realtime-v2` to more users.
    pub may_widen: bool,
}

/// What came of it. Each holds once it is said.
#[derive(Clone, Debug)]
pub enum CommandOutcome {
    /// Durable and live.
    Committed { revision: u64, parts: Vec<PlannedChange> },
    /// Live, and not known to be in the database.
    Pending { position: Position, survives_restart: bool, parts: Vec<PlannedChange> },
    /// All is as it was wanted already.
    Unchanged,
    /// The same was done before, under the same name.
    Repeated { revision: u64 },
}

/// Why it is not said to be done. All but `Unknown` mean that nothing was.
#[derive(Debug, thiserror::Error)]
pub enum CommandRejected {
    #[error(transparent)]
    Refused(#[from] CommandError),
    #[error(
        "this opens realtime-v2 to more users, or closes `disabled` to some, now or later, so it needs a reason"
    )]
    ReasonNeeded,
    #[error(
        "this would open realtime-v2 to more users, or close `disabled` to some, now or later, or take a hold away, and only narrowing is permitted here"
    )]
    MayOnlyNarrow,
    #[error("`{flag}` changed at revision {changed_at}, after the one you looked at")]
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
        "the database did not say in time whether it is saved; look with `turnout history`, or ask again under the same idempotency key"
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

//! What happened to the state, for the log.

use super::problems::Problem;
use crate::flag::FlagKey;
use crate::snapshot::Position;

/// An event that gets a line in the log.
#[derive(Debug)]
pub enum ControlEvent {
    /// A position went live; these flags changed with it.
    Live { position: Position, changed: Vec<FlagKey> },
    /// This data folder holds no earlier state.
    FirstStart { data: String },
    /// A new problem, and what to do about it.
    Problem(Problem),
    /// What became of `admin.token`.
    AdminToken(&'static str),
    /// The database answers again; `pending` changes are about to be saved.
    Back { pending: usize },
    /// A file says something else than an operator's override.
    Drift {
        flag: FlagKey,
        file: String,
        live: String,
        by: String,
        at_ms: i64,
        reason: Option<String>,
    },
}

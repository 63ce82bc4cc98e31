//! Errors of a database of events, as far as callers handle them differently.

/// What is wrong with the database, in one line without a user's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventStoreError {
    /// The disk is full: publishes wait for room, everything else goes on.
    #[error("the disk is full")]
    Full,
    /// Another program has it locked just now.
    #[error("another program has it locked")]
    Locked,
    #[error("a file of it is gone, or another one is in its place")]
    Gone,
    /// Its content is at fault: another attempt does not help.
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("a newer build of turnout wrote it")]
    OfNewerBuild,
    #[error("{0}")]
    Other(String),
}

impl EventStoreError {
    /// Whether the open database can still be used.
    pub fn passes(&self) -> bool {
        matches!(self, EventStoreError::Full | EventStoreError::Locked)
    }
}

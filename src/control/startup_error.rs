//! Why there is no start.

/// Why there is no start.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error("there is no database to accept: {0}")]
    NothingToAccept(String),
    #[error("the database cannot be accepted: {0}")]
    NotAccepted(String),
    #[error("the data folder {0} is empty, and TURNOUT_NEW_DATA=deny says that it must not be")]
    NewData(String),
}

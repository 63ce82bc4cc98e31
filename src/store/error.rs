//! The errors of a database, as far as callers handle them differently.

use std::time::Duration;

use crate::fd_limit;

/// SQLite's `SQLITE_IOERR_WRITE`, also returned where a file may not grow.
const IOERR_WRITE: &str = "778";
/// SQLite's `SQLITE_NOMEM` and `SQLITE_IOERR`, whatever it says more of the cause.
const NOMEM: u32 = 7;
const IOERR: u32 = 10;
/// The kinds `SQLITE_BUSY` and `SQLITE_READONLY`, whatever it says more of the cause.
const BUSY: u32 = 5;
const READONLY: u32 = 8;

/// What is being done while SQLite writes a whole commit to its log.
pub const COMMITTING: &str = "commit a revision";

/// Each variant names what was being done; the cause is its source.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {doing}")]
    Database { doing: &'static str, source: sqlx::Error },
    #[error("cannot bring the tables up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    #[error("a file of the database is gone, or another one is in its place")]
    Gone,
    #[error("a file of the database went while a change was committed to it")]
    Lost,
    #[error("there is no database file")]
    NoFile,
    #[error(
        "a file of the database may only be read: make turnout.db, its -wal and -shm the files of the user that turnout runs as (chown), and let it write to them (chmod u+w)"
    )]
    ReadOnly,
    #[error("the database is damaged: {0}")]
    Damaged(String),
    #[error(
        "a newer build wrote the database: its format {format} needs one that reads format {min_reader}"
    )]
    OfNewerBuild { format: i64, min_reader: i64 },
    #[error("another change was committed first")]
    Moved,
    #[error(
        "its revision {revision} is not the one that this node knows: its history is another one"
    )]
    AnotherLineage { revision: u64 },
    #[error("the definitions of the change are not all written yet")]
    NotStaged,
    #[error("its SQLite is {0}, and none before 3.51.3 is safe with several connections")]
    OldSqlite(String),
    #[error("nothing more of the database could be read for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("row {what} does not read: {why}")]
    Unreadable { what: String, why: String },
}

impl StoreError {
    /// Adds what was being done, for `map_err`.
    pub fn doing(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
        move |source| StoreError::Database { doing, source }
    }

    /// Whether the disk is full, or this process has reached its limit on file size.
    pub fn is_full(&self) -> bool {
        match self {
            StoreError::Database { source: sqlx::Error::Database(error), .. } => {
                let failed_write = error.code().as_deref() == Some(IOERR_WRITE);
                error.message().contains("disk is full")
                    || failed_write && fd_limit::have_a_size_limit()
            }
            _ => false,
        }
    }

    /// Whether what was to be written may be in a file all the same, where a start after a crash
    /// reads it. SQLite writes a whole commit to the log before it syncs the log and makes room in
    /// the index, and what fails then does not take it out of the file.
    pub fn may_be_written(&self) -> bool {
        match self {
            StoreError::Lost => true,
            StoreError::Database { doing: COMMITTING, source: sqlx::Error::Database(error) } => {
                matches!(self.kind(), Some(NOMEM | IOERR))
                    && error.code().as_deref() != Some(IOERR_WRITE)
            }
            _ => false,
        }
    }

    /// Whether SQLite opened a file to read it alone, as it may not write to it.
    pub fn is_read_only(&self) -> bool {
        self.kind() == Some(READONLY)
    }

    /// Whether another program has the file just now.
    pub fn is_busy(&self) -> bool {
        self.kind() == Some(BUSY)
    }

    /// The kind of what SQLite says: the low byte of its code.
    fn kind(&self) -> Option<u32> {
        let StoreError::Database { source: sqlx::Error::Database(error), .. } = self else {
            return None;
        };
        error.code()?.parse::<u32>().ok().map(|code| code & 0xff)
    }

    /// Whether the content of the database is at fault, and not the access to it: a retry does not
    /// help.
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Damaged(_) | StoreError::Unreadable { .. } | StoreError::Migrate(_) => true,
            StoreError::Database {
                source: sqlx::Error::RowNotFound | sqlx::Error::ColumnNotFound(_),
                ..
            } => true,
            // SQLITE_ERROR means a missing table; the others are SQLITE_CORRUPT and SQLITE_NOTADB.
            StoreError::Database { .. } => {
                self.kind().is_some_and(|kind| matches!(kind, 1 | 11 | 26))
            }
            _ => false,
        }
    }

    /// The error with all its causes, on one line.
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        let mut line = self.to_string();
        let mut last = String::new();
        for cause in causes.map(ToString::to_string) {
            // Some errors repeat the words of their cause.
            if !line.ends_with(&cause) && cause != last {
                line.push_str(&format!(": {cause}"));
            }
            last = cause;
        }
        line.replace(char::is_control, " ")
    }
}

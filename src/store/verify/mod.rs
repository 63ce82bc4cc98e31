//! Whether the database is what was written: nothing altered, nothing missing, nothing added.
//!
//! The chain of hashes covers every revision with its changes and its request; all else is compared with those, in both directions. Rows
//! are read in pages, as they stand: a kind of subject that this build does not know is verified like any other.
//!
//! | file | what it looks at |
//! |---|---|
//! | `chain` | the head, and every revision and change |
//! | `state` | what follows from them: subjects, idempotency keys, cursors |
//! | `content` | texts, and the records that name them |

mod chain;
mod content;
mod state;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::{Kept, MAX_FAULTS, StoreError, Verdict};

pub async fn verify(connection: &mut SqliteConnection, kept: &Kept) -> Result<Verdict, StoreError> {
    let mut reading = connection.begin().await.map_err(StoreError::doing("read"))?;
    let mut faults = Faults::default();
    let revisions = chain::check(&mut reading, kept, &mut faults).await?;
    state::check(&mut reading, &mut faults).await?;
    content::check(&mut reading, &mut faults).await?;
    Ok(Verdict { revisions, faults: faults.found })
}

/// What is wrong; no more than a verdict names.
#[derive(Debug, Default)]
struct Faults {
    found: Vec<String>,
}

impl Faults {
    fn add(&mut self, fault: String) {
        // Names come from rows that may have been altered, and end up on terminals.
        let fault = fault.replace(char::is_control, " ");
        if !self.are_enough() && !self.found.contains(&fault) {
            self.found.push(fault);
        }
    }

    fn are_enough(&self) -> bool {
        self.found.len() >= MAX_FAULTS
    }
}

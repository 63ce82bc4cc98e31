//! Checks that the database is what was written: nothing altered, nothing missing, nothing added.
//!
//! The hash chain covers every revision with its changes and its request; everything else is
//! compared with these, in both directions. Rows are read in pages, as stored: a kind of subject
//! unknown to this build is verified like all others.
//!
//! Each page is its own read transaction, so that the log can be copied into the database file
//! meanwhile, however long the check takes. The check covers the history up to its end when the
//! check began ([`HistoryHead`]): no row before that changes any more.
//!
//! | file | what it checks | |---|---|
//! | `super::schema` | triggers and views, which change what is written and read |
//! | `chain` | the head, and every revision and change |
//! | `state` | what results from them: subjects, idempotency keys, cursors |
//! | `content` | blobs, and the records that name them |

mod chain;
mod content;
mod state;

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row};

use super::chain::{number, text};
use super::reader::Reader;
use super::{ExpectedHistory, MAX_FAULTS, StoreError, VerifyReport, schema};

pub async fn verify(
    reader: &Reader,
    expected: &ExpectedHistory,
) -> Result<VerifyReport, StoreError> {
    let mut faults = Faults::default();
    for stranger in schema::strangers(&mut *reader.lock().await).await? {
        faults.add(stranger);
    }
    let end = HistoryHead::now(reader, &mut faults).await?;
    let revisions = chain::check(reader, &end, expected, &mut faults).await?;
    state::check(reader, &end, &mut faults).await?;
    content::check(reader, &end, &mut faults).await?;
    Ok(VerifyReport { revisions, faults: faults.found })
}

/// The end of the history when a verification began.
struct HistoryHead {
    /// Its newest revision.
    revision: i64,
    /// The rows of `head` at that moment.
    heads: Vec<SqliteRow>,
}

impl HistoryHead {
    /// Anything beyond the newest revision belongs to none, and is reported.
    async fn now(reader: &Reader, faults: &mut Faults) -> Result<HistoryHead, StoreError> {
        const BEYOND: &str = "SELECT revision, subject FROM changes WHERE revision > $1 ORDER BY revision, place LIMIT $2";
        let read = StoreError::doing("read the history");
        let mut reader = reader.lock().await;
        let mut reading = reader.begin().await.map_err(&read)?;
        let heads =
            sqlx::query("SELECT * FROM head").fetch_all(&mut *reading).await.map_err(&read)?;
        let newest = sqlx::query("SELECT coalesce(max(revision), 0) FROM revisions")
            .fetch_one(&mut *reading)
            .await;
        let revision: i64 = newest.map_err(&read)?.get(0);
        let beyond = sqlx::query(BEYOND)
            .bind(revision)
            .bind(MAX_FAULTS as i64)
            .fetch_all(&mut *reading)
            .await;
        for row in &beyond.map_err(&read)? {
            faults.add_stray_change(
                number(row, "revision").unwrap_or_default(),
                &text(row, "subject").unwrap_or_default(),
            );
        }
        Ok(HistoryHead { revision, heads })
    }
}

/// The faults found; at most [`MAX_FAULTS`](super::MAX_FAULTS).
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

    fn add_stray_change(&mut self, revision: i64, name: &str) {
        self.add(format!(
            "a change of {name} was added: there is no revision {revision} that it belongs to"
        ));
    }

    fn are_enough(&self) -> bool {
        self.found.len() >= MAX_FAULTS
    }
}

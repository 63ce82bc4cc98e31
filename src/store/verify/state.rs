//! What follows from the history, compared with it in both directions: how each subject stands, what each idempotency key stands for, and
//! how far readers have come.

use sqlx::sqlite::SqliteConnection;

use super::super::chain::{number, text};
use super::super::{MAX_FAULTS, StoreError, subjects};
use super::Faults;

/// Each says what is wrong in `{revision}` and `{name}`, as far as its query tells them.
const CHECKS: [(&str, &str); 5] = [
    (
        "revision {revision} does not go on from where the one before it left {name}",
        // By the index: the history of a subject passes one change at a time.
        "SELECT revision, kind || ' ' || subject AS name FROM (SELECT revision, kind, subject, record_before, \
            LAG(record_after) OVER (PARTITION BY kind, subject ORDER BY revision) AS was FROM changes) \
         WHERE record_before IS NOT was",
    ),
    (
        "the idempotency key of revision {revision} is missing",
        "SELECT revision, '' AS name FROM revisions AS r WHERE idempotency_key IS NOT NULL AND NOT EXISTS ( \
            SELECT 1 FROM idempotency AS i WHERE i.idempotency_key = r.idempotency_key AND i.revision = r.revision)",
    ),
    (
        "an idempotency key was altered or added: revision {revision} was not made with it",
        "SELECT revision, '' AS name FROM idempotency AS i WHERE NOT EXISTS ( \
            SELECT 1 FROM revisions AS r WHERE r.revision = i.revision AND r.idempotency_key = i.idempotency_key)",
    ),
    (
        "the credential {name} was added beside the history",
        // The table of older builds; the cursor `tokens` stands there while they are being brought over.
        "SELECT 0 AS revision, id AS name FROM tokens WHERE NOT EXISTS (SELECT 1 FROM cursors WHERE reader = 'tokens')",
    ),
    (
        "the cursor of {name} was altered: it stands at revision {revision}, which there is not",
        "SELECT revision, reader AS name FROM cursors WHERE revision < 0 \
            OR revision > (SELECT coalesce(max(revision), 0) FROM revisions)",
    ),
];

pub async fn check(connection: &mut SqliteConnection, faults: &mut Faults) -> Result<(), StoreError> {
    for name in subjects::astray(connection, MAX_FAULTS).await? {
        faults.add(format!("{name} does not stand as its last revision left it"));
    }
    for (fault, query) in CHECKS {
        if faults.are_enough() {
            break;
        }
        let query = sqlx::query(query).fetch_all(&mut *connection).await;
        for row in query.map_err(StoreError::doing("compare it with the history"))?.iter().take(MAX_FAULTS) {
            let revision = number(row, "revision").map_or_else(|| "?".to_owned(), |revision| revision.to_string());
            let name = text(row, "name").unwrap_or_else(|| "a subject".to_owned());
            faults.add(fault.replace("{revision}", &revision).replace("{name}", &name));
        }
    }
    Ok(())
}

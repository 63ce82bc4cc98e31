//! Whether a revision matches its hash, over the texts as stored; what this build knows of their
//! meaning plays no part.

use std::collections::{BTreeSet, HashMap};

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::reader::Reader;
use crate::ledger::{ContentHash, HashedChange, HashedRevision, Head};
use crate::store::error::StoreError;

/// A row of `revisions`, joined with `request`, and its changes in order; `None` if a change cannot
/// be read.
pub fn hashed<'a>(
    row: &SqliteRow,
    changes: impl IntoIterator<Item = &'a SqliteRow>,
) -> Option<HashedRevision> {
    Some(HashedRevision {
        revision: number(row, "revision")?,
        committed_at_ms: number(row, "committed_at_ms")?,
        effective_at_ms: number(row, "effective_at_ms")?,
        actor: text(row, "actor")?,
        // A database of earlier builds has no ids of actors.
        actor_id: maybe(row, "actor_id").flatten(),
        origin: text(row, "origin")?,
        reason: maybe(row, "reason")?,
        idempotency_key: maybe(row, "idempotency_key")?,
        request: maybe(row, "request")?,
        changes: changes.into_iter().map(change).collect::<Option<_>>()?,
    })
}

/// The hash that its row states.
pub fn stated(row: &SqliteRow) -> Option<ContentHash> {
    text(row, "hash")?.parse().ok()
}

/// Whether a revision exists and matches its hash, given the row before it.
pub async fn is_intact(
    connection: &mut SqliteConnection,
    revision: u64,
) -> Result<bool, StoreError> {
    const ROW: &str = "SELECT r.*, i.request FROM revisions AS r LEFT JOIN idempotency AS i \
        ON i.idempotency_key = r.idempotency_key AND i.revision = r.revision WHERE r.revision = $1";
    const CHANGES: &str = "SELECT * FROM changes WHERE revision = $1 ORDER BY place";
    const BEFORE: &str = "SELECT hash FROM revisions WHERE revision = $1 - 1";
    let read = StoreError::doing("read the history");
    let number = revision.min(i64::MAX as u64) as i64;
    let Some(row) =
        sqlx::query(ROW).bind(number).fetch_optional(&mut *connection).await.map_err(&read)?
    else {
        return Ok(false);
    };
    let changes =
        sqlx::query(CHANGES).bind(number).fetch_all(&mut *connection).await.map_err(&read)?;
    let before = match number {
        1 => Some(Head::none().hash),
        _ => sqlx::query(BEFORE)
            .bind(number)
            .fetch_optional(&mut *connection)
            .await
            .map_err(&read)?
            .as_ref()
            .and_then(stated),
    };
    let holds = || Some(hashed(&row, &changes)?.holds(before?, stated(&row)?));
    Ok(holds().unwrap_or(false))
}

/// The most revisions that one page checks.
const REVISIONS_A_PAGE: usize = 500;

/// The revisions among these that exist and match their hashes, each given the row before it; some
/// hundred are read at once.
pub async fn intact_revisions(
    reader: &Reader,
    revisions: &BTreeSet<u64>,
) -> Result<BTreeSet<u64>, StoreError> {
    const ROWS: &str = "SELECT r.*, i.request, b.hash AS hash_before FROM revisions AS r LEFT JOIN idempotency AS i \
        ON i.idempotency_key = r.idempotency_key AND i.revision = r.revision LEFT JOIN revisions AS b \
        ON b.revision = r.revision - 1 WHERE r.revision IN (SELECT value FROM json_each($1))";
    const CHANGES: &str = "SELECT * FROM changes WHERE revision IN (SELECT value FROM json_each($1)) ORDER BY revision, place";
    let read = StoreError::doing("read the history");
    let numbers: Vec<u64> =
        revisions.iter().copied().filter(|revision| i64::try_from(*revision).is_ok()).collect();
    let mut standing = BTreeSet::new();
    for some in numbers.chunks(REVISIONS_A_PAGE) {
        let some = serde_json::json!(some).to_string();
        let mut connection = reader.lock().await;
        let rows = sqlx::query(ROWS)
            .bind(some.clone())
            .fetch_all(&mut *connection)
            .await
            .map_err(&read)?;
        let changes =
            sqlx::query(CHANGES).bind(some).fetch_all(&mut *connection).await.map_err(&read)?;
        drop(connection);
        let mut changes_of: HashMap<i64, Vec<&SqliteRow>> = HashMap::new();
        for change in &changes {
            changes_of
                .entry(number(change, "revision").unwrap_or_default())
                .or_default()
                .push(change);
        }
        for row in &rows {
            let Some(revision) = number(row, "revision") else { continue };
            let before = match revision {
                1 => Some(Head::none().hash),
                _ => text(row, "hash_before").and_then(|hash| hash.parse().ok()),
            };
            let changes = changes_of.remove(&revision).unwrap_or_default();
            let holds = || Some(hashed(row, changes)?.holds(before?, stated(row)?));
            if holds().unwrap_or(false) {
                standing.insert(revision as u64);
            }
        }
    }
    Ok(standing)
}

fn change(row: &SqliteRow) -> Option<HashedChange> {
    Some(HashedChange {
        kind: text(row, "kind")?,
        key: text(row, "subject")?,
        action: text(row, "action")?,
        back_to: row.try_get::<Option<i64>, _>("back_to").ok()?.map(|to| to.to_string()),
        before: maybe(row, "record_before")?,
        after: maybe(row, "record_after")?,
    })
}

/// `None` for NULL too: SQLite would read it as 0 or as an empty text.
pub fn number(row: &SqliteRow, column: &str) -> Option<i64> {
    row.try_get::<Option<i64>, _>(column).ok().flatten()
}

pub fn text(row: &SqliteRow, column: &str) -> Option<String> {
    maybe(row, column).flatten()
}

/// `None` if it cannot be read, `Some(None)` if it is NULL.
pub fn maybe(row: &SqliteRow, column: &str) -> Option<Option<String>> {
    row.try_get(column).ok()
}

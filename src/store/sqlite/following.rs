//! Reads the revisions after a known head, for a node that shares the database: what another writer
//! committed, proved to follow from what this node has.
//!
//! Rows of the history never change, so it is read page by page: no transaction lasts while a large
//! revision is read.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::reader::Reader;
use super::{blobs, chain, rows};
use crate::ledger::{Blobs, Change, ContentHash, Head, Revision};
use crate::store::error::StoreError;
use crate::store::messages::{MAX_PAGE, StoredWithBlobs};

/// A call ends once it has read this many bytes: the caller takes the revisions over and calls
/// again. A larger revision comes alone.
const BYTES_A_CALL: usize = 4 * 1024 * 1024;
/// The most changes of one page.
const CHANGES_A_PAGE: i64 = 500;

/// The revisions after `after`, oldest first. Each matches its hash, given the one before it.
pub async fn revisions_after(
    reader: &Reader,
    after: &Head,
    limit: u32,
    cached: &Blobs,
) -> Result<Vec<StoredWithBlobs>, StoreError> {
    const ROWS: &str = "SELECT r.*, i.request FROM revisions AS r LEFT JOIN idempotency AS i \
        ON i.idempotency_key = r.idempotency_key AND i.revision = r.revision \
        WHERE r.revision > $1 ORDER BY r.revision LIMIT $2";
    check_lineage(reader, after).await?;
    let rows = sqlx::query(ROWS).bind(number(after.revision)).bind(i64::from(limit.min(MAX_PAGE)));
    let rows = rows
        .fetch_all(&mut *reader.lock().await)
        .await
        .map_err(StoreError::doing("read the history"))?;
    let (mut found, mut head, mut bytes, mut cached) = (Vec::new(), *after, 0, cached.clone());
    for row in &rows {
        let next = next_revision(reader, row, &head, &mut cached, &mut bytes).await?;
        head = next.head;
        found.push(next);
        if bytes >= BYTES_A_CALL {
            break;
        }
    }
    Ok(found)
}

/// Fails if the database's history does not contain the given head.
async fn check_lineage(reader: &Reader, after: &Head) -> Result<(), StoreError> {
    if after.revision == 0 {
        return Ok(());
    }
    let query =
        sqlx::query("SELECT hash FROM revisions WHERE revision = $1").bind(number(after.revision));
    let row = query
        .fetch_optional(&mut *reader.lock().await)
        .await
        .map_err(StoreError::doing("read the history"))?;
    match row.as_ref().and_then(chain::stated) {
        Some(hash) if hash == after.hash => Ok(()),
        _ => Err(StoreError::AnotherLineage { revision: after.revision }),
    }
}

async fn next_revision(
    reader: &Reader,
    row: &SqliteRow,
    before: &Head,
    cached: &mut Blobs,
    bytes: &mut usize,
) -> Result<StoredWithBlobs, StoreError> {
    let number = before.revision + 1;
    let stored = rows::revision(row)?;
    if stored.revision.revision != number {
        return Err(StoreError::Damaged(format!("revision {number} is missing")));
    }
    let rows = changes_of(reader, number).await?;
    let is_as_written =
        chain::hashed(row, &rows).is_some_and(|hashed| hashed.holds(before.hash, stored.hash));
    if !is_as_written {
        return Err(StoreError::Damaged(format!(
            "revision {number} is not what its hash says after revision {}",
            before.revision
        )));
    }
    *bytes += rows.iter().map(bytes_of).sum::<usize>();
    let changes: Vec<Change> =
        rows.iter().map(|row| rows::change(row).1).collect::<Result<_, _>>()?;
    let named =
        changes.iter().filter_map(|change| change.after.as_ref()).flat_map(|record| record.blobs());
    let (at_hand_already, lacking): (Vec<ContentHash>, Vec<_>) =
        named.partition(|id| cached.contains_key(id));
    let mut blobs = blobs::read(reader, &lacking, &Blobs::new()).await?;
    *bytes += blobs.values().map(|text| text.len()).sum::<usize>();
    cached.extend(blobs.iter().map(|(id, text)| (*id, text.clone())));
    blobs.extend(
        at_hand_already.iter().filter_map(|id| cached.get(id).map(|text| (*id, text.clone()))),
    );
    let revision = Revision { changes, ..stored.revision };
    let head =
        Head { revision: number, hash: stored.hash, committed_at_ms: revision.committed_at_ms };
    Ok(StoredWithBlobs { revision, head, request: chain::text(row, "request"), blobs })
}

/// The rows of a revision's changes, in order.
async fn changes_of(reader: &Reader, revision: u64) -> Result<Vec<SqliteRow>, StoreError> {
    const PAGE: &str =
        "SELECT * FROM changes WHERE revision = $1 AND place > $2 ORDER BY place LIMIT $3";
    let mut found: Vec<SqliteRow> = Vec::new();
    loop {
        let last = found
            .last()
            .map_or(Some(i64::MIN), |row| chain::number(row, "place"))
            .unwrap_or(i64::MAX);
        let query = sqlx::query(PAGE).bind(number(revision)).bind(last).bind(CHANGES_A_PAGE);
        let page = query
            .fetch_all(&mut *reader.lock().await)
            .await
            .map_err(StoreError::doing("read the history"))?;
        let is_last = (page.len() as i64) < CHANGES_A_PAGE;
        found.extend(page);
        if is_last {
            return Ok(found);
        }
    }
}

fn bytes_of(row: &SqliteRow) -> usize {
    let length = |column| row.try_get::<Option<&str>, _>(column).ok().flatten().map_or(0, str::len);
    length("record_before") + length("record_after")
}

fn number(revision: u64) -> i64 {
    revision.min(i64::MAX as u64) as i64
}

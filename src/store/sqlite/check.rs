//! Whether a database can be trusted at a start: its pages are sound, and its history is complete
//! at both ends and is the one known here.
//!
//! `verify` reads every row and takes as long as that needs. This check looks for what goes wrong
//! when files of different moments are combined, such as a restored database file and a later
//! `-wal`: pages that do not fit, missing revisions in between, a head without its row.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::{chain, rows, schema};
use crate::ledger::{ContentHash, Head, KnownHead};
use crate::store::error::StoreError;
use crate::store::messages::Identity;

/// Reads the database's identity and whether its history is complete: from the newest rows, and
/// from the numbers of all revisions.
pub async fn identify(
    connection: &mut SqliteConnection,
    from: &[&KnownHead],
) -> Result<Identity, StoreError> {
    let (epoch, head) = head(connection).await?;
    let fault = fault_of_history(connection, head).await?;
    let mut holds = Vec::with_capacity(from.len());
    for known in from {
        holds.push(is_part(connection, &epoch, known).await?);
    }
    let is_of_format_before = !schema::has_table(connection, "formats").await?;
    Ok(Identity { known: KnownHead { epoch, head }, holds, fault, is_of_format_before })
}

/// Whether this is the database of a known state, and the state is part of its history.
pub async fn holds(
    connection: &mut SqliteConnection,
    known: &KnownHead,
) -> Result<bool, StoreError> {
    let (epoch, _) = head(connection).await?;
    is_part(connection, &epoch, known).await
}

async fn head(connection: &mut SqliteConnection) -> Result<(String, Head), StoreError> {
    let head = sqlx::query("SELECT * FROM head").fetch_one(connection).await;
    rows::head(&head.map_err(StoreError::doing("read the head"))?)
}

async fn is_part(
    connection: &mut SqliteConnection,
    epoch: &str,
    known: &KnownHead,
) -> Result<bool, StoreError> {
    let KnownHead { epoch: of, head } = known;
    Ok(of == epoch
        && (head.revision == 0 || hash_of(connection, head.revision).await? == Some(head.hash)))
}

/// Fails if the database takes no writes from this connection: SQLite opens a file that it may only read without a
/// word, and refuses the first change. Nothing is written; that another program holds it says
/// nothing.
pub async fn may_write(writer: &mut SqliteConnection) -> Result<(), StoreError> {
    // To begin is not enough: where it may only read, SQLite begins to read.
    const CHANGE_NOTHING: &str =
        "BEGIN IMMEDIATE; UPDATE head SET only_row = only_row WHERE 0; ROLLBACK";
    let tried = sqlx::raw_sql(CHANGE_NOTHING).execute(writer).await;
    match tried.map_err(StoreError::doing("write")) {
        Err(error) if error.is_read_only() => Err(StoreError::ReadOnly),
        Err(error) if !error.is_busy() => Err(error),
        _ => Ok(()),
    }
}

/// Checks every page, as far as SQLite's quick check does.
pub async fn check_pages(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let rows = sqlx::query("PRAGMA quick_check(3)")
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("check it"))?;
    let found: Vec<String> =
        rows.iter().filter_map(|row| row.try_get(0).ok()).filter(|line| line != "ok").collect();
    if found.is_empty() { Ok(()) } else { Err(StoreError::Damaged(found.join("; "))) }
}

/// A fault of the history that shows that its files are of different moments. An altered row is not
/// such a fault: `verify` reports it.
async fn fault_of_history(
    connection: &mut SqliteConnection,
    head: Head,
) -> Result<Option<String>, StoreError> {
    const ENDS: &str = "SELECT count(*), coalesce(min(revision), 1), coalesce(max(revision), 0), \
        (SELECT coalesce(max(revision), 0) FROM changes) FROM revisions";
    let ends = sqlx::query(ENDS)
        .fetch_one(&mut *connection)
        .await
        .map_err(StoreError::doing("read the history"))?;
    let [count, first, last, changed] =
        [0, 1, 2, 3].map(|column| ends.get::<i64, _>(column) as u64);
    if last != head.revision {
        return Ok(Some(format!(
            "its head is revision {}, and the newest row of its history is {last}",
            head.revision
        )));
    }
    if first != 1 || count != last {
        return Ok(Some(format!(
            "it lacks {} of its {last} revisions",
            last.saturating_sub(count)
        )));
    }
    let is_head = head.revision == 0 || hash_of(connection, last).await? == Some(head.hash);
    if !is_head {
        return Ok(Some(format!("its head is not the row of revision {last}")));
    }
    // A revision may have no changes.
    if changed != last && !chain::is_intact(connection, last).await? {
        return Ok(Some(format!(
            "the newest changes are of revision {changed}, and the newest revision is {last}"
        )));
    }
    Ok(None)
}

async fn hash_of(
    connection: &mut SqliteConnection,
    revision: u64,
) -> Result<Option<ContentHash>, StoreError> {
    let query = sqlx::query("SELECT hash FROM revisions WHERE revision = $1").bind(revision as i64);
    let row =
        query.fetch_optional(connection).await.map_err(StoreError::doing("read the history"))?;
    Ok(row.as_ref().and_then(chain::stated))
}

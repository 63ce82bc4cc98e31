//! A page of the history, with a bound on what is read: the first import of thousands of flags is
//! one revision, and each page that shows it would read it all.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::Row;

use super::reader::Reader;
use super::rows;
use crate::ledger::Change;
use crate::store::error::StoreError;
use crate::store::messages::{HistoryQuery, MAX_PAGE, StoredRevision};

/// The most changes of a revision on a page. The others are counted.
pub const CHANGES_OF_A_REVISION: u32 = 100;
/// Once a page has this many changes, each further revision is shown with its first change only.
const CHANGES_A_PAGE_OF_HISTORY: usize = 1000;
/// The most revisions that one query reads.
const MAX_REVISIONS_PER_QUERY: usize = 10;

pub async fn read(reader: &Reader, page: &HistoryQuery) -> Result<Vec<StoredRevision>, StoreError> {
    const ALL: &str = "SELECT * FROM revisions WHERE revision < $1 AND revision > $2 ORDER BY revision DESC LIMIT $3";
    const OF_FLAG: &str = "SELECT * FROM revisions WHERE revision < $1 AND revision > $2 AND revision IN \
        (SELECT revision FROM changes WHERE kind = 'flag' AND subject = $4 AND revision < $1 AND revision > $2 \
         ORDER BY revision DESC LIMIT $3) ORDER BY revision DESC LIMIT $3";
    let before = page.before.map_or(i64::MAX, |before| before.min(i64::MAX as u64) as i64);
    let after = page.after.map_or(0, |after| after.min(i64::MAX as u64) as i64);
    let query = sqlx::query(if page.flag.is_some() { OF_FLAG } else { ALL });
    let query = query.bind(before).bind(after).bind(i64::from(page.limit.min(MAX_PAGE)));
    let query = match &page.flag {
        Some(flag) => query.bind(flag.clone()),
        None => query,
    };
    let rows = query
        .fetch_all(&mut *reader.lock().await)
        .await
        .map_err(StoreError::doing("read the history"))?;
    let mut found: Vec<StoredRevision> =
        rows.iter().map(rows::revision).collect::<Result<_, _>>()?;
    let mut shown = 0;
    for some in found.chunks_mut(MAX_REVISIONS_PER_QUERY) {
        let most = match shown {
            _ if page.whole => u32::MAX,
            ..CHANGES_A_PAGE_OF_HISTORY => CHANGES_OF_A_REVISION,
            _ => 1,
        };
        let numbers: Vec<u64> = some.iter().map(|stored| stored.revision.revision).collect();
        let mut changes = read_changes(reader, &numbers, most, page.flag.as_deref()).await?;
        let counts = count_changes(reader, &numbers).await?;
        for StoredRevision { revision, more_changes, .. } in some {
            revision.changes = changes.remove(&revision.revision).unwrap_or(Ok(Vec::new()))?;
            let all = counts.get(&revision.revision).copied().unwrap_or_default();
            *more_changes = all.saturating_sub(revision.changes.len() as u64);
            shown += revision.changes.len();
        }
    }
    Ok(found)
}

/// The first changes of each of these revisions, and every change of the given flag; a change that
/// cannot be read is returned as such.
async fn read_changes(
    reader: &Reader,
    revisions: &[u64],
    most: u32,
    flag: Option<&str>,
) -> Result<BTreeMap<u64, Result<Vec<Change>, StoreError>>, StoreError> {
    const OF: &str = "SELECT * FROM changes WHERE revision IN (SELECT value FROM json_each($1)) \
        AND (place < $2 OR kind = 'flag' AND subject = $3) ORDER BY revision, place";
    let query = sqlx::query(OF)
        .bind(json!(revisions).to_string())
        .bind(i64::from(most))
        .bind(flag.map(str::to_owned));
    let rows = query
        .fetch_all(&mut *reader.lock().await)
        .await
        .map_err(StoreError::doing("read the history"))?;
    let mut changes = BTreeMap::new();
    for row in &rows {
        let (revision, change) = rows::change(row);
        let of_revision = changes.entry(revision).or_insert_with(|| Ok(Vec::new()));
        match (of_revision.as_mut(), change) {
            (Ok(of_revision), Ok(change)) => of_revision.push(change),
            (Ok(_), Err(error)) => *of_revision = Err(error),
            (Err(_), _) => {}
        }
    }
    Ok(changes)
}

async fn count_changes(
    reader: &Reader,
    revisions: &[u64],
) -> Result<BTreeMap<u64, u64>, StoreError> {
    const COUNT: &str = "SELECT revision, count(*) FROM changes WHERE revision IN (SELECT value FROM json_each($1)) GROUP BY revision";
    let query = sqlx::query(COUNT).bind(json!(revisions).to_string());
    let rows = query
        .fetch_all(&mut *reader.lock().await)
        .await
        .map_err(StoreError::doing("read the history"))?;
    Ok(rows.iter().map(|row| (row.get::<i64, _>(0) as u64, row.get::<i64, _>(1) as u64)).collect())
}

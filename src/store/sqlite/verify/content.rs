//! Checks every blob against its hash, and against the records that name it: none altered, none
//! missing, none unused. A staged blob belongs to a revision that is still to come; all that can be
//! checked is that no revision names it yet.

use std::collections::BTreeMap;

use sqlx::Row;

use super::super::chain::{number, text};
use super::super::reader::Reader;
use super::super::{blobs, schema};
use super::faults::Faults;
use super::history_head::HistoryHead;
use crate::ledger::{ContentHash, blobs_named_in};
use crate::store::error::StoreError;

/// The most blobs that one pass compares with the whole history: more blobs take more memory, and
/// more passes take more time.
const BLOBS_A_PASS: usize = 100_000;
const TEXTS_A_PAGE: i64 = 1000;
const CHANGES_A_PAGE: i64 = 200;

/// What is known about a blob before its pass ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubjectState {
    NotNamedYet,
    /// A revision names it, or a fault was already reported for it.
    Settled,
    Staged,
}

pub async fn check(
    reader: &Reader,
    end: &HistoryHead,
    faults: &mut Faults,
) -> Result<(), StoreError> {
    let stages = schema::has_table(&mut *reader.lock().await, "staged_texts").await?;
    if stages {
        check_marks(reader, faults).await?;
    }
    let mut after = String::new();
    loop {
        let mut pass = BTreeMap::new();
        let mut is_last = false;
        let first = after.clone();
        while pass.len() < BLOBS_A_PASS && !is_last && !faults.are_enough() {
            is_last = next_blobs(reader, stages, &mut after, &mut pass, faults).await?;
        }
        if faults.are_enough() {
            return Ok(());
        }
        let until = (!is_last).then(|| after.clone());
        let is_of_pass =
            |id: &str| id > first.as_str() && until.as_deref().is_none_or(|until| id <= until);
        compare_with_history(reader, end, &mut pass, is_of_pass, faults).await?;
        if is_last {
            return Ok(());
        }
    }
}

/// A blob is marked when its first part is written, and the mark is removed after the last.
async fn check_marks(reader: &Reader, faults: &mut Faults) -> Result<(), StoreError> {
    const STRAY: &str = "SELECT id FROM staged_texts AS s WHERE NOT EXISTS (SELECT 1 FROM texts AS t WHERE t.id = s.id) LIMIT 1";
    let stray = sqlx::query(STRAY)
        .fetch_optional(&mut *reader.lock().await)
        .await
        .map_err(StoreError::doing("read definitions"))?;
    if let Some(id) = stray.as_ref().and_then(|row| text(row, "id")) {
        faults.add(format!("the text {id} is marked as one to come, and none of it is there"));
    }
    Ok(())
}

/// Checks the blobs of a page by themselves, adds them to `pass` as not yet named, and returns
/// whether they were the last.
async fn next_blobs(
    reader: &Reader,
    stages: bool,
    after: &mut String,
    pass: &mut BTreeMap<ContentHash, SubjectState>,
    faults: &mut Faults,
) -> Result<bool, StoreError> {
    const PAGE: &str = "SELECT id, count(*) AS parts, min(part) AS first, max(part) AS last, \
        EXISTS (SELECT 1 FROM staged_texts AS s WHERE s.id = texts.id) AS staged FROM texts WHERE id > $1 \
        GROUP BY id ORDER BY id LIMIT $2";
    const PAGE_BEFORE_STAGING: &str = "SELECT id, count(*) AS parts, min(part) AS first, max(part) AS last, 0 AS staged \
        FROM texts WHERE id > $1 GROUP BY id ORDER BY id LIMIT $2";
    let page = sqlx::query(if stages { PAGE } else { PAGE_BEFORE_STAGING })
        .bind(after.clone())
        .bind(TEXTS_A_PAGE)
        .fetch_all(&mut *reader.lock().await)
        .await;
    let page = page.map_err(StoreError::doing("read definitions"))?;
    for row in &page {
        let Some(name) = text(row, "id") else {
            faults.add("a text's name does not read".to_owned());
            return Ok(true);
        };
        let parts = [number(row, "first"), number(row, "last")];
        let are_in_order = parts == [Some(0), number(row, "parts").map(|parts| parts - 1)];
        match name.parse::<ContentHash>() {
            Ok(id) if number(row, "staged") == Some(1) => {
                pass.insert(id, SubjectState::Staged);
            }
            Ok(id) if are_in_order && blobs::is_intact(reader, id).await? => {
                pass.insert(id, SubjectState::NotNamedYet);
            }
            Ok(id) => {
                faults.add(format!("the text {name} is not what its name says"));
                pass.insert(id, SubjectState::Settled);
            }
            Err(_) => faults.add(format!("the text {name} is not what its name says")),
        }
        *after = name;
    }
    Ok((page.len() as i64) < TEXTS_A_PAGE)
}

async fn compare_with_history(
    reader: &Reader,
    end: &HistoryHead,
    pass: &mut BTreeMap<ContentHash, SubjectState>,
    is_of_pass: impl Fn(&str) -> bool,
    faults: &mut Faults,
) -> Result<(), StoreError> {
    const PAGE: &str = "SELECT rowid AS row, revision, record_after AS record FROM changes \
        WHERE rowid > $1 ORDER BY rowid LIMIT $2";
    // A revision that was committed meanwhile may name a blob of this pass. Its other blobs were
    // not looked for.
    let newest =
        sqlx::query("SELECT max(rowid) FROM changes").fetch_one(&mut *reader.lock().await).await;
    let newest: Option<i64> = newest.map_err(StoreError::doing("read the history"))?.get(0);
    let mut after = i64::MIN;
    while newest.is_some_and(|newest| after < newest) {
        let page = sqlx::query(PAGE)
            .bind(after)
            .bind(CHANGES_A_PAGE)
            .fetch_all(&mut *reader.lock().await)
            .await;
        let page = page.map_err(StoreError::doing("read the history"))?;
        for row in &page {
            after = number(row, "row").unwrap_or(i64::MAX);
            let revision = number(row, "revision").unwrap_or_default();
            let is_verified = revision <= end.revision;
            for id in text(row, "record").iter().flat_map(|record| blobs_named_in(record)) {
                match pass.get_mut(&id) {
                    Some(standing) => {
                        if *standing == SubjectState::Staged && is_verified {
                            faults.add(format!("the text {id} is marked as one to come, and revision {revision} names it"));
                        }
                        *standing = SubjectState::Settled;
                    }
                    None if is_verified && is_of_pass(&id.to_string()) => {
                        faults.add(format!(
                            "the text {id}, named by revision {revision}, is missing"
                        ));
                        pass.insert(id, SubjectState::Settled);
                    }
                    None => {}
                }
            }
        }
        if page.is_empty() || faults.are_enough() {
            break;
        }
    }
    for id in pass
        .iter()
        .filter(|(_, standing)| **standing == SubjectState::NotNamedYet)
        .map(|(id, _)| id)
    {
        faults.add(format!("the text {id} was added: no revision names it"));
    }
    Ok(())
}

//! Checks every revision and its changes against its hash and the row before, from the first to the
//! head. An altered row is named; one bad row is one fault.

use std::collections::VecDeque;

use sqlx::sqlite::SqliteRow;

use super::super::chain::{hashed, number, stated, text};
use super::super::reader::Reader;
use super::super::rows;
use super::faults::Faults;
use super::history_head::HistoryHead;
use crate::ledger::{ContentHash, Head};
use crate::store::error::StoreError;
use crate::store::messages::ExpectedHistory;

const REVISIONS_A_PAGE: i64 = 200;
const CHANGES_A_PAGE: i64 = 200;

/// Checks all of them and returns how many revisions were read.
pub async fn check(
    reader: &Reader,
    end: &HistoryHead,
    expected: &ExpectedHistory,
    faults: &mut Faults,
) -> Result<u64, StoreError> {
    const PAGE: &str = "SELECT r.*, i.request FROM revisions AS r LEFT JOIN idempotency AS i \
        ON i.idempotency_key = r.idempotency_key AND i.revision = r.revision \
        WHERE r.revision > $1 AND r.revision <= $2 ORDER BY r.revision LIMIT $3";
    let mut changes =
        Changes { read: VecDeque::new(), last: None, end: end.revision, are_all_read: false };
    let mut last = Last { revision: 0, hash: Some(Head::none().hash), committed_at_ms: 0 };
    let (mut read, mut after) = (0, i64::MIN);
    while !faults.are_enough() {
        let query = sqlx::query(PAGE).bind(after).bind(end.revision).bind(REVISIONS_A_PAGE);
        let page = query
            .fetch_all(&mut *reader.lock().await)
            .await
            .map_err(StoreError::doing("read the history"))?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            after = number(row, "revision").unwrap_or(i64::MAX);
            read += 1;
            let (of_revision, misplaced) = changes.of(reader, after, faults).await?;
            check_row(row, after, &of_revision, misplaced, &mut last, expected, faults);
        }
    }
    if !faults.are_enough() {
        changes.of(reader, i64::MAX, faults).await?;
        check_head(end, &last, expected, faults);
    }
    Ok(read)
}

/// The hash of the row before.
struct Last {
    revision: i64,
    /// `None` if its row states none: then the next row cannot be checked against it.
    hash: Option<ContentHash>,
    committed_at_ms: i64,
}

fn check_row(
    row: &SqliteRow,
    revision: i64,
    changes: &[SqliteRow],
    misplaced: bool,
    last: &mut Last,
    expected: &ExpectedHistory,
    faults: &mut Faults,
) {
    match revision.saturating_sub(last.revision) {
        1 => {}
        ..1 => faults.add(format!("revision {revision} was added: the first is 1")),
        2 => faults.add(format!("revision {} is missing", revision - 1)),
        _ => faults.add(format!("revisions {} to {} are missing", last.revision + 1, revision - 1)),
    }
    let (follows, hash) = (revision == last.revision.saturating_add(1), stated(row));
    let committed_at_ms = number(row, "committed_at_ms").unwrap_or(last.committed_at_ms);
    let expected_hash =
        expected.head.filter(|head| head.revision as i64 == revision).map(|head| head.hash);
    let covered = hashed(row, changes).zip(hash);
    match (covered, last.hash) {
        (None, _) => faults.add(format!(
            "revision {revision} was altered: its row, or one of its changes, does not read"
        )),
        (Some((covered, hash)), Some(before)) if follows && !covered.holds(before, hash) => {
            faults.add(format!("revision {revision} was altered: it is not what its hash says"));
        }
        _ if misplaced => faults
            .add(format!("revision {revision} was altered: its changes are not numbered from 0")),
        _ if committed_at_ms < last.committed_at_ms => {
            faults.add(format!("revision {revision} was committed before the one before it"));
        }
        _ if expected_hash.is_some_and(|expected| Some(expected) != hash) => {
            faults.add(format!(
                "revision {revision} is not the one this node saw: the history was written anew"
            ));
        }
        _ => {}
    }
    *last = Last { revision, hash, committed_at_ms };
}

fn check_head(end: &HistoryHead, last: &Last, expected: &ExpectedHistory, faults: &mut Faults) {
    match end.heads.as_slice() {
        [row] => match rows::head(row) {
            Ok((epoch, head)) => {
                if (head.revision as i64, Some(head.hash)) != (last.revision, last.hash) {
                    let (head, last) = (head.revision, last.revision);
                    faults.add(format!(
                        "the head says revision {head}, the newest row is revision {last}"
                    ));
                } else if head.committed_at_ms != last.committed_at_ms {
                    faults.add(
                        "the head was altered: it states another time than the newest revision"
                            .to_owned(),
                    );
                }
                if expected.epoch.as_ref().is_some_and(|known| *known != epoch) {
                    faults.add("the head was altered: the database calls itself otherwise than this node knew it".to_owned());
                }
            }
            Err(error) => faults.add(format!("the head was altered: {error}")),
        },
        [] => faults.add("the head is missing".to_owned()),
        _ => faults.add("there is more than one head".to_owned()),
    }
    if let Some(head) = expected.head.filter(|head| head.revision as i64 > last.revision) {
        faults.add(format!("revision {} was there and is not any more", head.revision));
    }
}

/// The changes ordered by revision, read a page at a time.
struct Changes {
    read: VecDeque<SqliteRow>,
    /// The last one that was read; `None` before the first page.
    last: Option<(i64, i64)>,
    /// The newest revision.
    end: i64,
    are_all_read: bool,
}

impl Changes {
    /// The changes of a revision, and whether their numbers are not 0 and up. Changes before it
    /// belong to no revision.
    async fn of(
        &mut self,
        reader: &Reader,
        revision: i64,
        faults: &mut Faults,
    ) -> Result<(Vec<SqliteRow>, bool), StoreError> {
        let (mut found, mut misplaced) = (Vec::new(), false);
        loop {
            if self.read.is_empty() && !self.are_all_read {
                self.next_page(reader).await?;
            }
            let Some(row) = self.read.pop_front() else { break };
            match number(&row, "revision").unwrap_or(i64::MIN) {
                of if of < revision => {
                    faults.add_stray_change(of, &text(&row, "subject").unwrap_or_default());
                }
                of if of == revision => {
                    misplaced |= number(&row, "place") != Some(found.len() as i64);
                    found.push(row);
                }
                _ => {
                    self.read.push_front(row);
                    break;
                }
            }
        }
        Ok((found, misplaced))
    }

    async fn next_page(&mut self, reader: &Reader) -> Result<(), StoreError> {
        const PAGE: &str = "SELECT * FROM changes WHERE (revision, place) > ($1, $2) AND revision <= $3 \
            ORDER BY revision, place LIMIT $4";
        let (revision, place) = self.last.unwrap_or((i64::MIN, i64::MIN));
        let query =
            sqlx::query(PAGE).bind(revision).bind(place).bind(self.end).bind(CHANGES_A_PAGE);
        let page = query
            .fetch_all(&mut *reader.lock().await)
            .await
            .map_err(StoreError::doing("read the history"))?;
        self.are_all_read = (page.len() as i64) < CHANGES_A_PAGE;
        self.last = page
            .last()
            .and_then(|row| Some((number(row, "revision")?, number(row, "place")?)))
            .or(self.last);
        self.read.extend(page);
        Ok(())
    }
}

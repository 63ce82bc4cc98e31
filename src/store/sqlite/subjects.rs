//! The present state of each subject: its row, which must be what its newest change left.
//!
//! `subjects` exists for a quick start and is no source of its own. A missing, altered or renamed
//! row would lift an operator's override of a flag, so the rows are compared with the history at
//! each load.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::chain;
use super::reader::Pages;
use crate::ledger::Subject;
use crate::store::error::StoreError;
use crate::store::loaded::{Poison, SubjectRow, Subjects, record};

/// A row for each subject that the history or the table knows; `stands` is 1 where they agree. Each
/// name in the history is found with one step of the index, however long the history is.
macro_rules! standing {
    () => {
        "WITH RECURSIVE names (kind, subject) AS ( \
            SELECT kind, subject FROM (SELECT kind, subject FROM changes ORDER BY kind, subject LIMIT 1) \
            UNION ALL \
            SELECT c.kind, c.subject FROM names AS n CROSS JOIN changes AS c WHERE c.rowid = coalesce( \
                (SELECT x.rowid FROM changes AS x WHERE x.kind = n.kind AND x.subject > n.subject ORDER BY x.subject LIMIT 1), \
                (SELECT x.rowid FROM changes AS x WHERE x.kind > n.kind ORDER BY x.kind, x.subject LIMIT 1))), \
         standing AS ( \
            SELECT n.kind, n.subject, c.revision AS revision, c.record_before AS before, c.record_after AS newest, \
                s.changed_at AS changed_at, s.record AS record, \
                s.record IS c.record_after AND (s.record IS NULL OR s.changed_at = c.revision) AS stands, \
                CASE WHEN s.record IS c.record_after THEN NULL ELSE \
                    (SELECT x.rowid FROM changes AS x WHERE x.kind = n.kind AND x.subject = n.subject \
                    AND (x.revision, x.rowid) < (c.revision, c.rowid) ORDER BY x.revision DESC, x.rowid DESC LIMIT 1) END AS last \
            FROM names AS n CROSS JOIN changes AS c ON c.rowid = ( \
                SELECT x.rowid FROM changes AS x WHERE x.kind = n.kind AND x.subject = n.subject \
                ORDER BY x.revision DESC, x.rowid DESC LIMIT 1) \
            LEFT JOIN subjects AS s ON s.kind = n.kind AND s.subject = n.subject \
            UNION ALL \
            SELECT s.kind, s.subject, NULL, NULL, NULL, s.changed_at, s.record, 0, NULL FROM subjects AS s WHERE NOT EXISTS ( \
                SELECT 1 FROM changes AS c WHERE c.kind = s.kind AND c.subject = s.subject)) "
    };
}

/// Present and removed subjects.
const ALL: &str = concat!(standing!(), "SELECT * FROM standing");
const ASTRAY: &str = concat!(
    standing!(),
    "SELECT kind, subject FROM standing WHERE stands = 0 ORDER BY kind, subject LIMIT $1"
);

/// The subjects whose rows agree with their newest change, and what is known of the others. Each row
/// counts as a page of `pages`: many take long.
pub async fn load(
    connection: &mut SqliteConnection,
    pages: &Pages,
) -> Result<Subjects, StoreError> {
    let counted = |row: SqliteRow| {
        pages.fetch_add(1, Relaxed);
        row
    };
    let rows = sqlx::query(ALL).map(counted).fetch_all(&mut *connection).await;
    let rows = rows.map_err(StoreError::doing("read the subjects"))?;
    let mut standing = Subjects::default();
    let mut as_written = BTreeMap::new();
    for row in &rows {
        let revision = chain::number(row, "revision").map(|revision| revision.max(0) as u64);
        let [newest, row_says] =
            ["newest", "record"].map(|column| chain::maybe(row, column).flatten());
        let (subject, fault) = match (read(row), revision) {
            (Ok(Some(subject)), _) => {
                standing.subjects.push(subject);
                continue;
            }
            (Ok(None), Some(revision)) => {
                let named = Subject::parse(
                    &chain::text(row, "kind").unwrap_or_default(),
                    &chain::text(row, "subject").unwrap_or_default(),
                );
                standing.removed.extend(named.map(|subject| (subject, revision)));
                continue;
            }
            (Ok(None), None) => continue,
            (Err(bad), _) => bad,
        };
        let holds = match revision {
            Some(revision) => is_intact(connection, revision, &mut as_written).await?,
            None => false,
        };
        if let Some(revision) = revision.filter(|_| !holds)
            && (subject.is_none() || strays(connection, row, &mut as_written).await?)
        {
            standing.newest_stray = standing.newest_stray.max(Some(revision));
        }
        let row_at = chain::number(row, "changed_at").map(|at| at.max(0) as u64);
        // The record that an earlier revision left is not the present one.
        let is_newest = revision >= row_at;
        let (believed, newest) = if holds && is_newest { (newest, None) } else { (None, newest) };
        standing.poison.push(Poison {
            subject,
            changed_at: revision.max(row_at).unwrap_or_default(),
            why: fault,
            believed,
            doubtful: newest.into_iter().chain(row_says).collect(),
        });
    }
    Ok(standing)
}

async fn is_intact(
    connection: &mut SqliteConnection,
    revision: u64,
    as_written: &mut BTreeMap<u64, bool>,
) -> Result<bool, StoreError> {
    if let Some(known) = as_written.get(&revision) {
        return Ok(*known);
    }
    let is_intact = chain::is_intact(connection, revision).await?;
    as_written.insert(revision, is_intact);
    Ok(is_intact)
}

/// Whether the newest change of a subject starts from another record than the change before it
/// left, although that one is right. Then the newest change may belong to another subject, which
/// lost it.
async fn strays(
    connection: &mut SqliteConnection,
    row: &SqliteRow,
    as_written: &mut BTreeMap<u64, bool>,
) -> Result<bool, StoreError> {
    const LAST: &str = "SELECT revision, record_after FROM changes WHERE rowid = $1";
    let before = chain::maybe(row, "before");
    let Some(last) = chain::number(row, "last") else { return Ok(before != Some(None)) };
    let last = sqlx::query(LAST).bind(last).fetch_one(&mut *connection).await;
    let last = last.map_err(StoreError::doing("read the history"))?;
    let revision = chain::number(&last, "revision").unwrap_or_default().max(0) as u64;
    Ok(before != chain::maybe(&last, "record_after")
        && is_intact(connection, revision, as_written).await?)
}

/// The names of subjects whose rows differ from their newest change, at most `most`.
pub async fn orphan_subjects(
    connection: &mut SqliteConnection,
    most: usize,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(ASTRAY).bind(most as i64).fetch_all(connection).await;
    let rows = rows.map_err(StoreError::doing("read the subjects"))?;
    let name =
        |row| Some(format!("{} {}", chain::text(row, "kind")?, chain::text(row, "subject")?));
    Ok(rows.iter().map(|row| name(row).unwrap_or_else(|| "a subject".to_owned())).collect())
}

/// `None` for a subject that was removed.
fn read(row: &SqliteRow) -> Result<Option<SubjectRow>, (Option<Subject>, String)> {
    let named = || Subject::parse(&chain::text(row, "kind")?, &chain::text(row, "subject")?);
    let is_removed =
        ["record", "newest"].iter().all(|column| chain::maybe(row, column) == Some(None));
    if is_removed && chain::number(row, "revision").is_some() {
        return Ok(None);
    }
    let subject = named().ok_or((None, "names no subject".to_owned()))?;
    let bad = |why: &str| (Some(subject.clone()), why.to_owned());
    if row.try_get::<i64, _>("stands").ok() != Some(1) {
        return Err(bad(match (chain::number(row, "revision"), chain::text(row, "record")) {
            (None, _) => "was made by no revision",
            (Some(_), None) => "is missing",
            (Some(_), Some(_)) => "is not what the newest revision of it left",
        }));
    }
    let json = chain::text(row, "record").ok_or_else(|| bad("is not a text"))?;
    let changed_at = chain::number(row, "changed_at").unwrap_or_default().max(0) as u64;
    match record(&subject, &json) {
        Ok(record) => Ok(Some(SubjectRow { subject, record, changed_at })),
        Err(why) => Err((Some(subject), format!("does not read: {why}"))),
    }
}

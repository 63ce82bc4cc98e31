//! Compares everything that results from the history with it, in both directions: the state of each
//! subject, what each idempotency key stands for, and the positions of readers.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::chain::{number, text};
use super::super::reader::Reader;
use super::super::subjects;
use super::faults::Faults;
use super::history_head::HistoryHead;
use crate::store::error::StoreError;
use crate::store::messages::MAX_FAULTS;

/// The most rows that are compared at once.
const ROWS_A_PAGE: i64 = 5000;

/// A query that checks each row of a long table, some thousand rows at once.
struct Comparison {
    /// The fault, with `{revision}` and `{name}` as far as `wrong` returns them.
    fault: &'static str,
    /// Selects the last row of the next page.
    next: &'static str,
    /// Selects the faulty rows of a page.
    wrong: &'static str,
}

const OF_LONG_TABLES: [Comparison; 2] = [
    Comparison {
        fault: "the idempotency key of revision {revision} is missing",
        next: "SELECT max(at) FROM (SELECT revision AS at FROM revisions WHERE revision > $1 ORDER BY revision LIMIT $2)",
        wrong: "SELECT revision, '' AS name FROM revisions AS r WHERE revision > $1 AND revision <= $2 \
            AND idempotency_key IS NOT NULL AND NOT EXISTS ( \
                SELECT 1 FROM idempotency AS i WHERE i.idempotency_key = r.idempotency_key AND i.revision = r.revision)",
    },
    Comparison {
        fault: "an idempotency key was altered or added: revision {revision} was not made with it",
        next: "SELECT max(at) FROM (SELECT rowid AS at FROM idempotency WHERE rowid > $1 ORDER BY rowid LIMIT $2)",
        wrong: "SELECT revision, '' AS name FROM idempotency AS i WHERE rowid > $1 AND rowid <= $2 AND NOT EXISTS ( \
            SELECT 1 FROM revisions AS r WHERE r.revision = i.revision AND r.idempotency_key = i.idempotency_key)",
    },
];

/// The faults of short tables.
const OF_SHORT_TABLES: [(&str, &str); 2] = [
    (
        "the credential {name} was added beside the history",
        // The table of older builds; the cursor `tokens` exists while its rows are being converted.
        "SELECT 0 AS revision, id AS name FROM tokens WHERE NOT EXISTS (SELECT 1 FROM cursors WHERE reader = 'tokens')",
    ),
    (
        "the cursor of {name} was altered: it stands at revision {revision}, which there is not",
        "SELECT revision, reader AS name FROM cursors WHERE revision < 0 \
            OR revision > (SELECT coalesce(max(revision), 0) FROM revisions)",
    ),
];

pub async fn check(
    reader: &Reader,
    end: &HistoryHead,
    faults: &mut Faults,
) -> Result<(), StoreError> {
    for name in subjects::orphan_subjects(&mut *reader.lock().await, MAX_FAULTS).await? {
        faults.add(format!("{name} does not stand as its last revision left it"));
    }
    check_continuity(reader, end, faults).await?;
    for comparison in OF_LONG_TABLES {
        compare(reader, &comparison, faults).await?;
    }
    for (fault, query) in OF_SHORT_TABLES {
        let wrong =
            sqlx::query(query).fetch_all(&mut *reader.lock().await).await.map_err(compared())?;
        name_each(&wrong, fault, faults);
    }
    Ok(())
}

/// Checks that each change of a subject starts from the record that the change before it left. It
/// follows the index: its history is read one change at a time, and each page begins with the last
/// change of the page before.
async fn check_continuity(
    reader: &Reader,
    end: &HistoryHead,
    faults: &mut Faults,
) -> Result<(), StoreError> {
    const PAGE: &str = "SELECT revision, kind, subject, kind || ' ' || subject AS name, row, record_before IS NOT \
            LAG(record_after) OVER (PARTITION BY kind, subject ORDER BY revision, row) AS breaks \
        FROM (SELECT *, rowid AS row FROM changes WHERE (kind, subject, revision, rowid) >= ($1, $2, $3, $4) AND revision <= $5 \
            ORDER BY kind, subject, revision, rowid LIMIT $6) ORDER BY kind, subject, revision, row";
    let mut last = (String::new(), String::new(), i64::MIN, i64::MIN);
    while !faults.are_enough() {
        let (kind, subject, revision, row) = last.clone();
        let query = sqlx::query(PAGE)
            .bind(kind)
            .bind(subject)
            .bind(revision)
            .bind(row)
            .bind(end.revision)
            .bind(ROWS_A_PAGE);
        let page = query.fetch_all(&mut *reader.lock().await).await.map_err(compared())?;
        let breaks = |found: &&SqliteRow| {
            number(found, "breaks") == Some(1) && number(found, "row") != Some(row)
        };
        let broken: Vec<_> = page.iter().filter(breaks).collect();
        name_each(
            broken,
            "revision {revision} does not go on from where the one before it left {name}",
            faults,
        );
        let place = |row| {
            Some((
                text(row, "kind")?,
                text(row, "subject")?,
                number(row, "revision")?,
                number(row, "row")?,
            ))
        };
        match page.last().and_then(place) {
            Some(place) if (page.len() as i64) == ROWS_A_PAGE && place != last => last = place,
            _ => break,
        }
    }
    Ok(())
}

async fn compare(
    reader: &Reader,
    comparison: &Comparison,
    faults: &mut Faults,
) -> Result<(), StoreError> {
    let mut after = i64::MIN;
    while !faults.are_enough() {
        let next = sqlx::query(comparison.next)
            .bind(after)
            .bind(ROWS_A_PAGE)
            .fetch_one(&mut *reader.lock().await)
            .await;
        let Some(next) = next.map_err(compared())?.get::<Option<i64>, _>(0) else { break };
        let wrong = sqlx::query(comparison.wrong)
            .bind(after)
            .bind(next)
            .fetch_all(&mut *reader.lock().await)
            .await;
        name_each(&wrong.map_err(compared())?, comparison.fault, faults);
        after = next;
    }
    Ok(())
}

fn name_each<'r>(rows: impl IntoIterator<Item = &'r SqliteRow>, fault: &str, faults: &mut Faults) {
    for row in rows.into_iter().take(MAX_FAULTS) {
        let revision =
            number(row, "revision").map_or_else(|| "?".to_owned(), |revision| revision.to_string());
        let name = text(row, "name").unwrap_or_else(|| "a subject".to_owned());
        faults.add(fault.replace("{revision}", &revision).replace("{name}", &name));
    }
}

fn compared() -> impl Fn(sqlx::Error) -> StoreError {
    StoreError::doing("compare it with the history")
}

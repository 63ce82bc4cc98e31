//! How each subject stands: the row of it, which must be what its newest change left.
//!
//! `subjects` is there for a quick start and says nothing of its own. A row that is missing, altered or called otherwise would lift what
//! an operator laid over a flag, so it is compared with the history at each load.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::row::{Poison, SubjectRow, record};
use super::{StoreError, chain};
use crate::truth::Subject;

/// A row for each subject that the history or the table knows; `stands` is 1 where they agree. The names in the history are found by one
/// step of the index each, however long it is.
macro_rules! standing {
    () => {
        "WITH RECURSIVE names (kind, subject) AS ( \
            SELECT kind, subject FROM (SELECT kind, subject FROM changes ORDER BY kind, subject LIMIT 1) \
            UNION ALL \
            SELECT c.kind, c.subject FROM names AS n CROSS JOIN changes AS c WHERE c.rowid = coalesce( \
                (SELECT x.rowid FROM changes AS x WHERE x.kind = n.kind AND x.subject > n.subject ORDER BY x.subject LIMIT 1), \
                (SELECT x.rowid FROM changes AS x WHERE x.kind > n.kind ORDER BY x.kind, x.subject LIMIT 1))), \
         standing AS ( \
            SELECT n.kind, n.subject, c.revision AS revision, c.record_after AS newest, s.changed_at AS changed_at, \
                s.record AS record, s.record IS c.record_after AND (s.record IS NULL OR s.changed_at = c.revision) AS stands \
            FROM names AS n CROSS JOIN changes AS c ON c.rowid = ( \
                SELECT x.rowid FROM changes AS x WHERE x.kind = n.kind AND x.subject = n.subject \
                ORDER BY x.revision DESC, x.rowid DESC LIMIT 1) \
            LEFT JOIN subjects AS s ON s.kind = n.kind AND s.subject = n.subject \
            UNION ALL \
            SELECT s.kind, s.subject, NULL, NULL, s.changed_at, s.record, 0 FROM subjects AS s WHERE NOT EXISTS ( \
                SELECT 1 FROM changes AS c WHERE c.kind = s.kind AND c.subject = s.subject)) "
    };
}

/// What of them is there.
const ALL: &str = concat!(standing!(), "SELECT * FROM standing WHERE record IS NOT NULL OR newest IS NOT NULL");
const ASTRAY: &str =
    concat!(standing!(), "SELECT kind, subject FROM standing WHERE stands = 0 ORDER BY kind, subject LIMIT $1");

/// The subjects that stand as their newest change left them, and what is known of the others.
pub async fn load(connection: &mut SqliteConnection) -> Result<(Vec<SubjectRow>, Vec<Poison>), StoreError> {
    let rows = sqlx::query(ALL).fetch_all(&mut *connection).await.map_err(StoreError::doing("read the subjects"))?;
    let (mut subjects, mut poison) = (Vec::new(), Vec::new());
    let mut as_written = BTreeMap::new();
    for row in &rows {
        let (subject, fault) = match read(row) {
            Ok(subject) => {
                subjects.push(subject);
                continue;
            }
            Err(bad) => bad,
        };
        let revision = chain::number(row, "revision").map(|revision| revision.max(0) as u64);
        let holds = match revision {
            Some(revision) if !as_written.contains_key(&revision) => {
                let holds = chain::stands(connection, revision).await?;
                as_written.insert(revision, holds);
                holds
            }
            revision => revision.and_then(|revision| as_written.get(&revision).copied()).unwrap_or_default(),
        };
        let [newest, row_says] = ["newest", "record"].map(|column| chain::maybe(row, column).flatten());
        let (believed, newest) = if holds { (newest, None) } else { (None, newest) };
        let changed_at = revision.or(chain::number(row, "changed_at").map(|at| at.max(0) as u64)).unwrap_or_default();
        poison.push(Poison {
            subject,
            changed_at,
            why: fault,
            believed,
            doubtful: newest.into_iter().chain(row_says).collect(),
        });
    }
    Ok((subjects, poison))
}

/// The names of subjects that do not stand as their newest change left them, at most so many.
pub async fn astray(connection: &mut SqliteConnection, most: usize) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(ASTRAY).bind(most as i64).fetch_all(connection).await;
    let rows = rows.map_err(StoreError::doing("read the subjects"))?;
    let name = |row| Some(format!("{} {}", chain::text(row, "kind")?, chain::text(row, "subject")?));
    Ok(rows.iter().map(|row| name(row).unwrap_or_else(|| "a subject".to_owned())).collect())
}

fn read(row: &SqliteRow) -> Result<SubjectRow, (Option<Subject>, String)> {
    let named = || Subject::parse(&chain::text(row, "kind")?, &chain::text(row, "subject")?);
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
        Ok(record) => Ok(SubjectRow { subject, record, changed_at }),
        Err(why) => Err((Some(subject), format!("does not read: {why}"))),
    }
}

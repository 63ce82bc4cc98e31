//! Whether the history is what was written: every row against its hash and the row before, every subject against its last change, every text
//! against its name. An edited row is named; one bad row is one fault.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::sqlite::read_changes;
use super::{MAX_FAULTS, StoreError, Stored, Verdict, row, texts};
use crate::truth::{Change, Head};

pub async fn verify(connection: &mut SqliteConnection, kept: Option<Head>) -> Result<Verdict, StoreError> {
    let mut verdict = Verdict { revisions: 0, faults: Vec::new() };
    let mut reading = connection.begin().await.map_err(StoreError::doing("read"))?;
    let row = sqlx::query("SELECT * FROM head").fetch_one(&mut *reading).await;
    let (_, head) = row::head(&row.map_err(StoreError::doing("read the head"))?)?;
    let mut last = Head::none();
    loop {
        const NEXT: &str = "SELECT * FROM revisions WHERE revision > $1 ORDER BY revision LIMIT 200";
        let rows = sqlx::query(NEXT).bind(last.revision as i64).fetch_all(&mut *reading).await;
        let rows = rows.map_err(StoreError::doing("read the history"))?;
        if rows.is_empty() || verdict.faults.len() >= MAX_FAULTS {
            break;
        }
        let numbers: Vec<u64> = rows.iter().map(number_of).collect();
        let mut changes = read_changes(&mut reading, &numbers).await?;
        for row in &rows {
            let changes = changes.remove(&number_of(row)).unwrap_or(Ok(Vec::new()));
            last = check_row(row, changes, last, kept, &mut verdict)?;
        }
    }
    if verdict.faults.len() < MAX_FAULTS {
        if (last.revision, last.hash) != (head.revision, head.hash) {
            let fault = format!("the head says revision {}, the newest row is revision {}", head.revision, last.revision);
            verdict.faults.push(fault);
        }
        if kept.is_some_and(|kept| kept.revision > last.revision) {
            verdict.faults.push(format!("revision {} was there and is not any more", kept.unwrap_or(head).revision));
        }
        check_subjects(&mut reading, &mut verdict).await?;
    }
    verdict.faults.truncate(MAX_FAULTS);
    Ok(verdict)
}

fn number_of(row: &SqliteRow) -> u64 {
    row.try_get::<i64, _>("revision").unwrap_or_default().max(0) as u64
}

/// Checks one row after the one before, and returns the head it states, so that one bad row is one fault.
fn check_row(
    row: &SqliteRow,
    changes: Result<Vec<Change>, StoreError>,
    last: Head,
    kept: Option<Head>,
    verdict: &mut Verdict,
) -> Result<Head, StoreError> {
    verdict.revisions += 1;
    let number = number_of(row);
    if number != last.revision + 1 {
        verdict.faults.push(match number - last.revision {
            2 => format!("revision {} is missing", last.revision + 1),
            _ => format!("revisions {} to {} are missing", last.revision + 1, number - 1),
        });
    }
    let read = row::revision(row).and_then(|stored| Ok((stored, changes?)));
    let Stored { revision, hash } = match read {
        Ok((mut stored, changes)) => {
            stored.revision.changes = changes;
            stored
        }
        Err(error @ StoreError::Unreadable { .. }) => {
            verdict.faults.push(format!("revision {number} was altered: {error}"));
            let hash = row.try_get::<String, _>("hash").ok().and_then(|hash| hash.parse().ok());
            let hash = hash.unwrap_or(last.hash);
            return Ok(Head { revision: number, hash, committed_at_ms: last.committed_at_ms });
        }
        Err(error) => return Err(error),
    };
    if revision.hash(last.hash) != hash && number == last.revision + 1 {
        verdict.faults.push(format!("revision {number} was altered: it is not what its hash says"));
    } else if revision.committed_at_ms < last.committed_at_ms {
        verdict.faults.push(format!("revision {number} was committed before the one before it"));
    } else if kept.is_some_and(|kept| kept.revision == number && kept.hash != hash) {
        verdict.faults.push(format!("revision {number} is not the one this node saw: the history was written anew"));
    }
    Ok(Head { revision: number, hash, committed_at_ms: revision.committed_at_ms })
}

/// Every subject must stand as its last change left it, and every text be what its name says.
async fn check_subjects(connection: &mut SqliteConnection, verdict: &mut Verdict) -> Result<(), StoreError> {
    const ASTRAY: &str = "SELECT kind, subject FROM subjects AS s WHERE record IS NOT \
        (SELECT record_after FROM changes AS c WHERE c.kind = s.kind AND c.subject = s.subject \
         ORDER BY revision DESC LIMIT 1) ORDER BY kind, subject LIMIT 20";
    let rows = sqlx::query(ASTRAY).fetch_all(&mut *connection).await.map_err(StoreError::doing("read the subjects"))?;
    for row in &rows {
        let (kind, key): (String, String) = (row.get(0), row.get(1));
        verdict.faults.push(format!("{kind} {key} does not stand as its last revision left it"));
    }
    let rows = sqlx::query("SELECT DISTINCT id FROM texts ORDER BY id").fetch_all(&mut *connection).await;
    for row in rows.map_err(StoreError::doing("read definitions"))? {
        let id: String = row.get(0);
        let known = match id.parse() {
            Ok(id) => texts::stands(connection, id).await?,
            Err(_) => false,
        };
        if !known {
            verdict.faults.push(format!("the text {id} is not what its name says"));
        }
    }
    Ok(())
}

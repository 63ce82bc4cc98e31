//! Whether a copy of the database is whole.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};

use super::rows::failed;
use super::schema;
use crate::count::count;
use crate::feeds::store::error::EventStoreError;
use crate::feeds::store::records::EventTotals;

/// Reads every page and every event of a closed database, and changes nothing.
pub async fn check_copy(path: &Path) -> Result<EventTotals, EventStoreError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.disable_statement_logging().connect().await.map_err(failed)?;
    schema::check_format(&mut connection).await?;
    let checked = sqlx::query("PRAGMA integrity_check(3)").fetch_all(&mut connection).await;
    let lines: Vec<String> =
        checked.map_err(failed)?.iter().filter_map(|row| row.try_get(0).ok()).collect();
    if lines != ["ok"] {
        return Err(EventStoreError::Damaged(lines.join("; ")));
    }
    let totals = totals(&mut connection).await?;
    connection.close().await.map_err(failed)?;
    Ok(totals)
}

/// How much there is, if no stream lacks an event that it should have.
async fn totals(connection: &mut SqliteConnection) -> Result<EventTotals, EventStoreError> {
    const TOTALS: &str = "WITH counted AS (SELECT head - kept_after AS kept, (SELECT count(*) FROM events AS e \
        WHERE e.number = s.number AND e.position > s.kept_after AND e.position <= s.head AND e.data IS NOT NULL) AS found \
        FROM streams AS s) \
        SELECT count(*), coalesce(sum(kept), 0), coalesce(sum(kept <> found), 0) FROM counted";
    let row = sqlx::query(TOTALS).fetch_one(connection).await.map_err(failed)?;
    let number = |index: usize| row.try_get::<i64, _>(index).map(|number| number as u64);
    let (streams, events) = (number(0).map_err(failed)?, number(1).map_err(failed)?);
    match number(2).map_err(failed)? {
        0 => Ok(EventTotals { streams, events }),
        lack => Err(EventStoreError::Damaged(format!(
            "events are missing in {lack} of {}",
            count(streams, "stream")
        ))),
    }
}

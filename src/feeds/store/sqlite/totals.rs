//! What is read of the database as a whole.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::rows::failed;
use crate::feeds::retention::{Bound, RetentionRecord};
use crate::feeds::shares::{FlagBytes, KeptBytes};
use crate::feeds::store::error::EventStoreError;
use crate::feeds::store::records::Opened;
use crate::flag::FlagKey;

/// What is kept, by flag, and the retentions in force.
pub async fn totals(connection: &mut SqliteConnection) -> Result<Opened, EventStoreError> {
    const BY_FLAG: &str = "SELECT flag, count(*), sum(bytes) FROM streams GROUP BY flag";
    const DOOMED: &str = "SELECT coalesce(sum(bytes), 0) FROM doomed";
    let rows = sqlx::query(BY_FLAG).fetch_all(&mut *connection).await.map_err(failed)?;
    let mut by_flag = Vec::new();
    for row in &rows {
        let number = |index: usize| row.try_get::<i64, _>(index).map_err(failed);
        let flag: &str = row.try_get(0).map_err(failed)?;
        let Ok(flag) = flag.parse() else { continue };
        by_flag.push((flag, FlagBytes { streams: number(1)? as u64, bytes: number(2)? as u64 }));
    }
    let doomed = sqlx::query(DOOMED).fetch_one(&mut *connection).await.map_err(failed)?;
    let doomed = doomed.try_get::<i64, _>(0).map_err(failed)? as u64;
    Ok(Opened {
        kept: KeptBytes::new(by_flag, doomed),
        retentions: retentions(connection).await?,
        renewed: 0,
    })
}

async fn retentions(
    connection: &mut SqliteConnection,
) -> Result<HashMap<FlagKey, RetentionRecord>, EventStoreError> {
    const ALL: &str = "SELECT flag, retain_ms, retain_lowered_to_ms, retain_lowered_at_ms, keep, keep_lowered_to, keep_lowered_at_ms \
        FROM retentions";
    let rows = sqlx::query(ALL).fetch_all(connection).await.map_err(failed)?;
    let mut found = HashMap::new();
    for row in &rows {
        let Ok(flag) = row.try_get::<&str, _>(0).map_err(failed)?.parse() else { continue };
        let bound = |first: usize| {
            let number = |index: usize| row.try_get::<Option<i64>, _>(first + index);
            let in_force = number(0).map_err(failed)?.unwrap_or_default() as u64;
            let lowered = number(1).map_err(failed)?.zip(number(2).map_err(failed)?);
            let lowered = lowered.map(|(to, since_ms)| (to as u64, since_ms));
            Ok::<Bound, EventStoreError>(Bound { in_force, lowered })
        };
        found.insert(flag, RetentionRecord { retain_ms: bound(1)?, keep: bound(4)? });
    }
    Ok(found)
}

pub async fn touch(connection: &mut SqliteConnection) -> Result<(), EventStoreError> {
    sqlx::query("SELECT commits FROM meta").fetch_one(connection).await.map_err(failed).map(drop)
}

pub async fn checkpoint(connection: &mut SqliteConnection) -> Result<(), EventStoreError> {
    const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
    sqlx::query(CHECKPOINT).execute(connection).await.map_err(failed).map(drop)
}

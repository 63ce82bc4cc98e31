//! Converts rows to values. A row with invalid content is reported, never trusted and never fatal.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::ledger::{
    Action, Actor, Change, ChangeSource, Credential, CredentialRecord, Head, PastStep, Revision,
    Role, Subject,
};
use crate::store::error::StoreError;
use crate::store::loaded::record;
use crate::store::messages::StoredRevision;

pub fn head(row: &SqliteRow) -> Result<(String, Head), StoreError> {
    let read = || -> Result<(String, Head), String> {
        let number = |column| row.try_get::<i64, _>(column).map_err(|error| error.to_string());
        let text = |column| row.try_get::<String, _>(column).map_err(|error| error.to_string());
        let revision = u64::try_from(number("revision")?).map_err(|error| error.to_string())?;
        let hash = text("hash")?.parse().map_err(|error| format!("{error}"))?;
        Ok((text("epoch")?, Head { revision, hash, committed_at_ms: number("committed_at_ms")? }))
    };
    read().map_err(|why| StoreError::Unreadable { what: "`head`".to_owned(), why })
}

/// A credential as written by builds before credentials were revisions.
pub fn old_token(row: &SqliteRow) -> Result<Credential, String> {
    let text = |column| row.try_get::<String, _>(column).map_err(|error| error.to_string());
    let time = |column| row.try_get::<Option<i64>, _>(column).map_err(|error| error.to_string());
    let flags = row.try_get::<Option<String>, _>("flags").map_err(|error| error.to_string())?;
    let record = CredentialRecord {
        name: text("name")?,
        role: Role::parse(&text("role")?).ok_or("it has no known role")?,
        flags: flags
            .map(|flags| serde_json::from_str(&flags))
            .transpose()
            .map_err(|error| error.to_string())?,
        hash: text("hash")?.parse().map_err(|error| format!("{error}"))?,
        created_at_ms: time("created_at_ms")?.unwrap_or_default(),
        created_by: text("created_by")?.as_str().into(),
        expires_at_ms: time("expires_at_ms")?,
        revoked_at_ms: time("revoked_at_ms")?,
        revoked_by: None,
        revoked_by_id: None,
        unknown: Default::default(),
    };
    Ok(Credential { id: text("id")?.parse().map_err(|error| format!("{error}"))?, record })
}

/// A revision without its changes, with the hash in its row.
pub fn revision(row: &SqliteRow) -> Result<StoredRevision, StoreError> {
    let number = row.try_get::<i64, _>("revision").unwrap_or_default().max(0) as u64;
    let read = || -> Result<StoredRevision, String> {
        let text = |column| row.try_get::<String, _>(column).map_err(|error| error.to_string());
        let maybe =
            |column| row.try_get::<Option<String>, _>(column).map_err(|error| error.to_string());
        let time = |column| row.try_get::<i64, _>(column).map_err(|error| error.to_string());
        let revision = Revision {
            revision: number,
            committed_at_ms: time("committed_at_ms")?,
            effective_at_ms: time("effective_at_ms")?,
            actor: Actor { name: text("actor")?, id: maybe("actor_id")? },
            origin: ChangeSource::parse(&text("origin")?).ok_or("it has no known origin")?,
            reason: maybe("reason")?,
            idempotency_key: maybe("idempotency_key")?,
            changes: Vec::new(),
        };
        Ok(StoredRevision {
            revision,
            hash: text("hash")?.parse().map_err(|error| format!("{error}"))?,
            more_changes: 0,
        })
    };
    read().map_err(|why| StoreError::Unreadable { what: format!("{number} of `revisions`"), why })
}

/// A change without its records.
pub fn step(row: &SqliteRow) -> Result<PastStep, StoreError> {
    let revision = row.try_get::<i64, _>("revision").unwrap_or_default().max(0) as u64;
    let read = || -> Result<PastStep, String> {
        let text = row.try_get::<String, _>("action").map_err(|error| error.to_string())?;
        let back_to =
            row.try_get::<Option<i64>, _>("back_to").map_err(|error| error.to_string())?;
        let action = Action::parse(&text, back_to.map(|to| to.max(0) as u64))
            .ok_or("it has no known action")?;
        Ok(PastStep { revision, action })
    };
    read().map_err(|why| StoreError::Unreadable { what: format!("{revision} of `changes`"), why })
}

/// A change and its revision.
pub fn change(row: &SqliteRow) -> (u64, Result<Change, StoreError>) {
    let number = row.try_get::<i64, _>("revision").unwrap_or_default().max(0) as u64;
    let read = || -> Result<Change, String> {
        let text = |column| row.try_get::<String, _>(column).map_err(|error| error.to_string());
        let maybe =
            |column| row.try_get::<Option<String>, _>(column).map_err(|error| error.to_string());
        let subject =
            Subject::parse(&text("kind")?, &text("subject")?).ok_or("it names no subject")?;
        let back_to =
            row.try_get::<Option<i64>, _>("back_to").map_err(|error| error.to_string())?;
        let action = Action::parse(&text("action")?, back_to.map(|to| to.max(0) as u64))
            .ok_or("it has no known action")?;
        let read = |json: Option<String>| json.map(|json| record(&subject, &json)).transpose();
        let (before, after) = (read(maybe("record_before")?)?, read(maybe("record_after")?)?);
        Ok(Change { subject, action, before, after })
    };
    (
        number,
        read()
            .map_err(|why| StoreError::Unreadable { what: format!("{number} of `changes`"), why }),
    )
}

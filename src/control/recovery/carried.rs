//! What is carried over from the state known here into a database that is accepted. Pure.
//!
//! A readable database gets everything that kept a flag low here, and a revocation of each
//! credential that may have been revoked. A new database gets everything.

use std::collections::BTreeSet;

use crate::ledger::{
    Action, Attribution, Catalog, Change, ContentCache, Credential, CredentialId, Credentials,
    Doubted, FlagRecord, Record, Unknown,
};

pub(super) const ACTOR: &str = "accept-database";

/// The changes of one revision, with the content their records refer to.
pub(super) struct Carried {
    pub changes: Vec<Change>,
    pub content: ContentCache,
}

/// For each flag the changes that make it no wider than either state: its stop, its pin, the lower
/// `realtime-v2` and the higher `disabled` at every moment, `enabled: false`. A segment that
/// differs has no good form until its file is read. A flag that the database does not have keeps
/// its overrides.
pub(super) fn into(database: &Catalog, known: Option<&Catalog>, at_ms: i64) -> Carried {
    let Some(known) = known else {
        return Carried { changes: Vec::new(), content: ContentCache::default() };
    };
    let mark = mark(at_ms, "the narrower of two states");
    let flags = known.flags().filter_map(|(key, entry)| {
        let before = database.flag(key.as_str());
        let after = match before {
            Some(before) => before.clone().no_wider_than(entry, &mark).record,
            None => FlagRecord { definition: None, ..entry.record.clone() },
        };
        let record = before.map(|entry| entry.record.clone());
        if record.clone().unwrap_or_default() == after {
            return None;
        }
        let was_stopped = before.is_some_and(|entry| entry.record.stop.is_some());
        let action = if after.stop.is_some() && !was_stopped { Action::Stop } else { Action::Set };
        Some(Change::of_flag(key, action, record, Some(after)))
    });
    let segments = known.segments().filter_map(|(key, entry)| {
        let before = &database.segment(key.as_str())?.record;
        let after = before.clone().no_wider_than(&entry.record);
        let differs = after != *before;
        differs.then(|| Change::of_segment(key, Action::Define, Some(before.clone()), Some(after)))
    });
    let changes: Vec<Change> = segments.chain(flags).collect();
    let named: BTreeSet<_> =
        changes.iter().filter_map(|change| change.after.as_ref()).flat_map(Record::blobs).collect();
    let mut content = known.content();
    content.blobs.retain(|id, _| named.contains(id));
    Carried { changes, content }
}

/// Everything, for a database that has nothing.
pub(super) fn whole(
    known: &Catalog,
    credentials: Vec<Credential>,
    doubt: &Doubted<CredentialId>,
    at_ms: i64,
) -> Carried {
    let flags = known.flags().map(|(key, entry)| {
        let action = if entry.record.stop.is_some() { Action::Stop } else { Action::Define };
        Change::of_flag(key, action, None, Some(entry.record.clone()))
    });
    let segments = known.segments().map(|(key, entry)| {
        Change::of_segment(key, Action::Define, None, Some(entry.record.clone()))
    });
    let credentials = credentials.into_iter().map(|Credential { id, record }| {
        let record =
            if doubt.covers(&id) { record.revoked(&may_be_revoked(at_ms)) } else { record };
        let credential = Credential { id, record };
        match credential.record.revoked_at_ms {
            Some(_) => credential.revoked_over(None),
            None => credential.made(),
        }
    });
    Carried {
        changes: segments.chain(flags).chain(credentials).collect(),
        content: known.content(),
    }
}

impl Carried {
    /// Adds a revocation of each of these credentials that may have been revoked: an unreadable
    /// journal entry may say so, and no database has what it said.
    pub fn and_revoked(
        mut self,
        credentials: &Credentials,
        doubt: &Doubted<CredentialId>,
        at_ms: i64,
    ) -> Carried {
        let mark = may_be_revoked(at_ms);
        let living = credentials
            .iter()
            .filter(|(id, record)| record.revoked_at_ms.is_none() && doubt.covers(id));
        self.changes.extend(living.map(|(id, record)| {
            let revoked = Credential { id: id.clone(), record: record.revoked(&mark) };
            revoked.revoked_over(Some(record))
        }));
        self
    }
}

fn may_be_revoked(at_ms: i64) -> Attribution {
    mark(at_ms, "it may have been revoked: an entry of the journal did not read")
}

fn mark(at_ms: i64, reason: &str) -> Attribution {
    Attribution {
        by: ACTOR.into(),
        at_ms,
        reason: Some(reason.to_owned()),
        unknown: Unknown::default(),
    }
}

//! A revision for people and programs: in the history, and for the webhook.

use turnout_api::admin::history;

use super::blob::ContentHash;
use super::change::{Change, Subject};
use super::content_cache::ContentCache;
use super::credential::CredentialRecord;
use super::effect::{effect_of, requested_by};
use super::entry::FlagEntry;
use super::record::{FlagRecord, Record};
use super::revision::Revision;
use super::served::Served;
use crate::flag::{FlagKey, Strategy};
use crate::moment;

/// A revision and the hash in its row. The meaning of blobs is included as far as `content` has
/// them.
pub fn revision_message(
    revision: &Revision,
    hash: ContentHash,
    content: &mut ContentCache,
) -> history::Revision {
    let change = |change: &Change| {
        // The records are read for their meaning; the entries are made of what was read.
        let was = meaning(&change.subject, change.before.as_ref(), content);
        let is = meaning(&change.subject, change.after.as_ref(), content);
        let entries = entries(change, content);
        let entries = entries.as_ref().map(|(before, after)| (before, after));
        let requested =
            entries.and_then(|(before, after)| requested_by(change.action, before, after));
        history::Change {
            kind: (&change.subject).into(),
            key: change.subject.key().to_owned(),
            action: change.action.into(),
            back_to: change.action.target_revision(),
            was,
            is,
            requested: requested.map(|requested| history::Requested {
                was: requested.was.map(|was| was.to_string()),
                is: requested.is.to_string(),
            }),
            effect: entries.and_then(|(before, after)| effect_of(change.action, before, after)),
        }
    };
    history::Revision {
        revision: revision.revision,
        committed_at_ms: revision.committed_at_ms,
        effective_at_ms: revision.effective_at_ms,
        changes: revision.changes.iter().map(change).collect(),
        actor: revision.actor.name.clone(),
        actor_id: revision.actor.id.clone(),
        origin: revision.origin.into(),
        reason: revision.reason.clone(),
        idempotency_key: revision.idempotency_key.clone(),
        hash: hash.to_string(),
        more_changes: None,
    }
}

/// The blobs that [`revision_message`] needs to describe a revision's changes.
pub fn referenced_blobs(revision: &Revision) -> Vec<ContentHash> {
    let records =
        revision.changes.iter().flat_map(|change| [&change.before, &change.after]).flatten();
    let blobs = records.map(|record| match record {
        Record::Flag(record) => record.blobs().collect(),
        Record::Segment(_) | Record::Credential(_) => Vec::new(),
    });
    blobs.collect::<Vec<_>>().concat()
}

/// A flag before and after a change, as far as its definitions were read.
fn entries(change: &Change, content: &ContentCache) -> Option<(FlagEntry, FlagEntry)> {
    let entry = |record: &Option<Record>| match record {
        Some(Record::Flag(record)) => Some(content.entry(record.clone())),
        _ => None,
    };
    Some((entry(&change.before).unwrap_or_default(), entry(&change.after)?))
}

/// The meaning of a record in a few words; `None` where it cannot be described.
fn meaning(
    subject: &Subject,
    record: Option<&Record>,
    content: &mut ContentCache,
) -> Option<String> {
    match (subject, record?) {
        (Subject::Flag(key), Record::Flag(record)) => serving(key, record, content),
        (_, Record::Credential(record)) => Some(credential_in_words(record)),
        _ => None,
    }
}

/// `oncall: stopper, flags build-events, until 2027-02-25T08:00:00Z`. No part of it helps to guess
/// a secret.
fn credential_in_words(record: &CredentialRecord) -> String {
    let flags = record
        .flags
        .as_ref()
        .map(|flags| format!(", flags {}", flags.join(" ")))
        .unwrap_or_default();
    let ends = match (record.revoked_at_ms, record.expires_at_ms) {
        (Some(_), _) => ", REVOKED".to_owned(),
        (None, Some(at)) => format!(", until {}", moment::utc(at)),
        (None, None) => String::new(),
    };
    format!("{}: {}{flags}{ends}", record.name, record.role)
}

/// What a flag with this record served.
fn serving(key: &FlagKey, record: &FlagRecord, content: &mut ContentCache) -> Option<String> {
    let _ = content.read_flag(key, record);
    let FlagRecord { definition, pin, split, stop, .. } = record;
    let id = pin.as_ref().map(|pin| pin.definition).or(*definition);
    let definition = id.and_then(|id| content.definitions.get(&id));
    let served = match (stop, definition) {
        (Some(_), definition) => {
            Served::Stopped(definition.map(|definition| definition.when_stopped.into()))
        }
        (None, definition) => {
            let held = split.as_ref().map(|held| held.split);
            let split = held.or(definition.and_then(|definition| definition.rollout));
            match (split, definition) {
                (None, None) => return None,
                (split, Some(definition)) => Served::by(definition, split),
                (split, None) => Served::Rollout(split, Strategy::Polling),
            }
        }
    };
    Some(served.to_string())
}

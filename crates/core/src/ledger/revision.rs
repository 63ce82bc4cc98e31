//! One accepted, atomic set of changes, and the hash chain that reveals an edited one.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::actor::Actor;
use super::blob::ContentHash;
use super::change::Change;

/// The position of the newest revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub revision: u64,
    /// The hash of that revision's row.
    pub hash: ContentHash,
    pub committed_at_ms: i64,
}

impl Head {
    /// The head before the first revision.
    pub fn none() -> Head {
        Head { revision: 0, hash: ContentHash::from([0; 32]), committed_at_ms: 0 }
    }
}

/// A state that a data folder is known to have had: which database, at which revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownHead {
    /// The database's own name.
    pub epoch: String,
    pub head: Head,
}

/// Where a change came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeSource {
    File,
    Api,
    Expire,
    /// A database was accepted in the place of the one known before.
    Accept,
    /// A newer build converted what was stored in another form.
    Upgrade,
}

impl ChangeSource {
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeSource::File => "file",
            ChangeSource::Api => "api",
            ChangeSource::Expire => "expire",
            ChangeSource::Accept => "accept",
            ChangeSource::Upgrade => "upgrade",
        }
    }

    pub fn parse(text: &str) -> Option<ChangeSource> {
        const ALL: [ChangeSource; 5] = [
            ChangeSource::File,
            ChangeSource::Api,
            ChangeSource::Expire,
            ChangeSource::Accept,
            ChangeSource::Upgrade,
        ];
        ALL.into_iter().find(|origin| origin.as_str() == text)
    }
}

impl fmt::Display for ChangeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A revision as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    pub revision: u64,
    /// Milliseconds since 1970; never falls from one revision to the next.
    pub committed_at_ms: i64,
    /// When it was first live: before the commit for a change that was journaled first.
    pub effective_at_ms: i64,
    pub actor: Actor,
    pub origin: ChangeSource,
    pub reason: Option<String>,
    pub idempotency_key: Option<String>,
    pub changes: Vec<Change>,
}

impl Revision {
    /// The hash over this row, the hash of the row before, and what its idempotency key stands for.
    pub fn hash(&self, before: ContentHash, request: Option<ContentHash>) -> ContentHash {
        let change = |change: &Change| HashedChange {
            kind: change.subject.kind().to_owned(),
            key: change.subject.key().to_owned(),
            action: change.action.as_str().to_owned(),
            back_to: change.action.target_revision().map(|to| to.to_string()),
            before: change.before.as_ref().map(|record| record.json()),
            after: change.after.as_ref().map(|record| record.json()),
        };
        let hashed = HashedRevision {
            revision: self.revision as i64,
            committed_at_ms: self.committed_at_ms,
            effective_at_ms: self.effective_at_ms,
            actor: self.actor.name.clone(),
            actor_id: self.actor.id.clone(),
            origin: self.origin.as_str().to_owned(),
            reason: self.reason.clone(),
            idempotency_key: self.idempotency_key.clone(),
            request: request.map(|request| request.to_string()),
            changes: self.changes.iter().map(change).collect(),
        };
        hashed.hash(before)
    }

    /// The head after this revision.
    pub fn head(&self, before: &Head, request: Option<ContentHash>) -> Head {
        Head {
            revision: self.revision,
            hash: self.hash(before.hash, request),
            committed_at_ms: self.committed_at_ms,
        }
    }
}

/// A revision as its hash covers it: the texts as the database has them, whether or not this build
/// knows their meaning.
#[derive(Clone, Debug)]
pub struct HashedRevision {
    pub revision: i64,
    pub committed_at_ms: i64,
    pub effective_at_ms: i64,
    pub actor: String,
    /// The id of the credential that was used.
    pub actor_id: Option<String>,
    pub origin: String,
    pub reason: Option<String>,
    pub idempotency_key: Option<String>,
    /// What the idempotency key stands for.
    pub request: Option<String>,
    pub changes: Vec<HashedChange>,
}

/// A change as the hash of its revision covers it.
#[derive(Clone, Debug)]
pub struct HashedChange {
    pub kind: String,
    pub key: String,
    pub action: String,
    pub back_to: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl HashedRevision {
    /// SHA-256 over every field as text, each preceded by its length, so that no two rows give the
    /// same bytes. Rows without the fields of later builds hash as they always did.
    pub fn hash(&self, before: ContentHash) -> ContentHash {
        let version = match (&self.actor_id, &self.request) {
            (None, None) => "turnout-revision-1",
            (None, Some(_)) => "turnout-revision-2",
            (Some(_), None) => "turnout-revision-3",
            (Some(_), Some(_)) => "turnout-revision-4",
        };
        let mut fields = Fields(Sha256::new());
        fields.text(version);
        fields.text(&before.to_string());
        fields.text(&self.revision.to_string());
        fields.text(&self.committed_at_ms.to_string());
        fields.text(&self.effective_at_ms.to_string());
        fields.text(&self.actor);
        self.actor_id.iter().for_each(|id| fields.text(id));
        fields.text(&self.origin);
        fields.maybe(self.reason.as_deref());
        fields.maybe(self.idempotency_key.as_deref());
        self.request.iter().for_each(|request| fields.text(request));
        fields.text(&self.changes.len().to_string());
        for HashedChange { kind, key, action, back_to, before, after } in &self.changes {
            fields.text(kind);
            fields.text(key);
            fields.text(action);
            fields.maybe(back_to.as_deref());
            fields.maybe(before.as_deref());
            fields.maybe(after.as_deref());
        }
        let digest: [u8; 32] = fields.0.finalize().into();
        digest.into()
    }

    /// Whether the hash that the row states is right, given the row before. Rows from before the
    /// request was covered hash as they did then.
    pub fn holds(&self, before: ContentHash, stated: ContentHash) -> bool {
        let as_then = || HashedRevision { request: None, ..self.clone() };
        self.hash(before) == stated || self.request.is_some() && as_then().hash(before) == stated
    }
}

struct Fields(Sha256);

impl Fields {
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }

    /// An absent field differs from an empty one.
    fn maybe(&mut self, text: Option<&str>) {
        match text {
            Some(text) => {
                self.text("1");
                self.text(text);
            }
            None => self.text("0"),
        }
    }
}

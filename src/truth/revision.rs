//! One accepted, atomic set of changes, and the chain that shows an edited one.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::action::Change;
use super::actor::Actor;
use super::content::ContentId;

/// Where the newest revision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Head {
    pub revision: u64,
    /// The hash of that revision's row.
    pub hash: ContentId,
    pub committed_at_ms: i64,
}

impl Head {
    /// Before any revision.
    pub fn none() -> Head {
        Head { revision: 0, hash: ContentId::from([0; 32]), committed_at_ms: 0 }
    }
}

/// Through which door a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    File,
    Api,
    Expire,
    /// A database was accepted in the place of the one known before.
    Accept,
    /// A newer build brought over what stood in another form.
    Upgrade,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::File => "file",
            Origin::Api => "api",
            Origin::Expire => "expire",
            Origin::Accept => "accept",
            Origin::Upgrade => "upgrade",
        }
    }

    pub fn parse(text: &str) -> Option<Origin> {
        const ALL: [Origin; 5] = [Origin::File, Origin::Api, Origin::Expire, Origin::Accept, Origin::Upgrade];
        ALL.into_iter().find(|origin| origin.as_str() == text)
    }
}

impl fmt::Display for Origin {
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
    /// When it was first live: earlier than committed for a change that was journaled first.
    pub effective_at_ms: i64,
    pub actor: Actor,
    pub origin: Origin,
    pub reason: Option<String>,
    pub idempotency_key: Option<String>,
    pub changes: Vec<Change>,
}

impl Revision {
    /// The hash of this row after the row before: SHA-256 over every field as text, each with its length before it, so that no two rows
    /// read the same.
    pub fn hash(&self, before: ContentId) -> ContentId {
        let mut fields = Fields(Sha256::new());
        // Rows from before credentials had a place in it read as they did then.
        fields.text(if self.actor.id.is_some() { "turnout-revision-3" } else { "turnout-revision-1" });
        fields.text(&before.to_string());
        fields.text(&self.revision.to_string());
        fields.text(&self.committed_at_ms.to_string());
        fields.text(&self.effective_at_ms.to_string());
        fields.text(&self.actor.name);
        self.actor.id.iter().for_each(|id| fields.text(id));
        fields.text(self.origin.as_str());
        fields.maybe(self.reason.as_deref());
        fields.maybe(self.idempotency_key.as_deref());
        fields.text(&self.changes.len().to_string());
        for Change { subject, action, before, after } in &self.changes {
            fields.text(subject.kind());
            fields.text(subject.key());
            fields.text(action.as_str());
            fields.maybe(action.to().map(|to| to.to_string()).as_deref());
            fields.maybe(before.as_ref().map(|record| record.json()).as_deref());
            fields.maybe(after.as_ref().map(|record| record.json()).as_deref());
        }
        let digest: [u8; 32] = fields.0.finalize().into();
        digest.into()
    }

    /// The head after this revision.
    pub fn head(&self, before: &Head) -> Head {
        Head { revision: self.revision, hash: self.hash(before.hash), committed_at_ms: self.committed_at_ms }
    }
}

struct Fields(Sha256);

impl Fields {
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }

    /// An absent field is told from an empty one.
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

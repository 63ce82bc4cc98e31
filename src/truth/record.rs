//! What is stored of a subject: which texts define it, and what operators laid over it in three slots (pin, split, stop).
//!
//! These shapes stand in the database, in the journal and in the last good file. A field is only ever added, and may then be absent.

use serde::{Deserialize, Serialize};

use super::actor::{self, Actor};
use super::content::ContentId;
use super::credential::CredentialRecord;
use crate::flag::Split;

/// A flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FlagRecord {
    /// The YAML it was last given; `None` while no good one is known.
    pub definition: Option<ContentId>,
    /// An earlier definition in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// A whole split in the place of the definition's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Held>,
    /// The emergency state: only `resume` lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Mark>,
}

/// Who did something, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    #[serde(flatten, with = "actor::by")]
    pub by: Actor,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A definition that was in force before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Pin {
    pub definition: ContentId,
    /// The revision it was brought back from.
    pub of: u64,
    pub mark: Mark,
}

/// A split that an operator holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Held {
    pub split: Split,
    pub mark: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<End>,
}

/// When a held split ends, and what is then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct End {
    pub at_ms: i64,
    /// The split that was in force when it was set, or the one named; `None` for none at all.
    pub split: Option<Split>,
    /// Whether the operator named it: only then may it widen.
    pub named: bool,
}

/// A segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SegmentRecord {
    /// Its YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ContentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_file: Option<UsersFile>,
    /// Ids added by `INTERNAL_USER_IDS`, one a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_user_ids: Option<ContentId>,
}

/// The list of ids a segment names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UsersFile {
    pub path: String,
    pub content: ContentId,
}

/// Of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Flag(FlagRecord),
    Segment(SegmentRecord),
    Credential(CredentialRecord),
}

impl Record {
    /// As it is stored.
    pub fn json(&self) -> String {
        // Cannot fail for these types: their keys are texts.
        match self {
            Record::Flag(record) => serde_json::to_string(record),
            Record::Segment(record) => serde_json::to_string(record),
            Record::Credential(record) => serde_json::to_string(record),
        }
        .unwrap_or_default()
    }
}

impl Record {
    /// The texts it speaks of.
    pub fn texts(&self) -> Vec<ContentId> {
        match self {
            Record::Flag(record) => record.texts().collect(),
            Record::Segment(record) => record.texts().collect(),
            Record::Credential(_) => Vec::new(),
        }
    }
}

impl FlagRecord {
    /// The texts it speaks of.
    pub fn texts(&self) -> impl Iterator<Item = ContentId> {
        self.definition.into_iter().chain(self.pin.as_ref().map(|pin| pin.definition))
    }
}

impl SegmentRecord {
    /// The texts it speaks of.
    pub fn texts(&self) -> impl Iterator<Item = ContentId> {
        let users_file = self.users_file.as_ref().map(|list| list.content);
        self.file.into_iter().chain(users_file).chain(self.internal_user_ids)
    }

    /// Whether nothing good is known of it.
    pub fn is_empty(&self) -> bool {
        *self == SegmentRecord::default()
    }
}

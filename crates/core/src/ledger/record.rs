//! The stored data of a subject: the blobs that define it, and an operator's overrides in three
//! slots (pin, split, stop).
//!
//! These forms are stored in the database, in the journal and in the last good file. New members
//! are only added, after the present ones, and may be absent. Members from a newer build are kept
//! unchanged (`unknown`), so that an older build serves and writes the same records.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::attribution::Attribution;
use super::blob::ContentHash;
use super::credential::CredentialRecord;
use super::unknown::Unknown;
use crate::flag::Split;

/// A flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagRecord {
    /// The YAML of its last good file; `None` while none is known.
    pub definition: Option<ContentHash>,
    /// An earlier definition that is in force in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// A whole split in the place of the definition's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitOverride>,
    /// The emergency state: only `resume` lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Attribution>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A definition that was in force before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    pub definition: ContentHash,
    /// The revision that it was restored from.
    pub of: u64,
    pub mark: Attribution,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A split that an operator holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SplitOverride {
    pub split: Split,
    pub mark: Attribution,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Expiry>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// When a held split expires, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expiry {
    pub at_ms: i64,
    /// The split that was in force when the expiry was set, or the one the operator named; `None`
    /// for none at all.
    pub split: Option<Split>,
    /// Whether the operator named the split: only then may it widen.
    pub named: bool,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentRecord {
    /// Its YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ContentHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_file: Option<UsersFile>,
    /// Ids added by `INTERNAL_USER_IDS`, one a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_user_ids: Option<ContentHash>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The list of ids a segment names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsersFile {
    pub path: String,
    pub content: ContentHash,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A record of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Flag(FlagRecord),
    Segment(SegmentRecord),
    Credential(CredentialRecord),
}

impl Record {
    /// The record in its stored form.
    pub fn json(&self) -> String {
        // Serialising these types cannot fail: their keys are texts.
        match self {
            Record::Flag(record) => serde_json::to_string(record),
            Record::Segment(record) => serde_json::to_string(record),
            Record::Credential(record) => serde_json::to_string(record),
        }
        .unwrap_or_default()
    }
}

impl SplitOverride {
    pub(super) fn is_of_newer_build(&self) -> bool {
        let of_end = self.ends.as_ref().is_some_and(|end| !end.unknown.is_empty());
        of_end || self.mark.is_of_newer_build() || !self.unknown.is_empty()
    }
}

impl Record {
    /// The blobs it refers to.
    pub fn blobs(&self) -> Vec<ContentHash> {
        match self {
            Record::Flag(record) => record.blobs().collect(),
            Record::Segment(record) => record.blobs().collect(),
            Record::Credential(_) => Vec::new(),
        }
    }
}

impl FlagRecord {
    /// Reads a stored record as far as it can be read, and returns whether all of it was. If only
    /// the stop can be read, the flag is stopped; if even that is unclear, the flag is stopped too:
    /// a misread record must never open a flag.
    pub fn as_far_as_it_reads(json: &Json, now_ms: i64) -> (FlagRecord, bool) {
        if let Ok(record) = FlagRecord::deserialize(json) {
            return (record, true);
        }
        fn member<T: DeserializeOwned>(json: &Json, name: &str) -> Option<T> {
            T::deserialize(json.get(name)?).ok()
        }
        let unread = || Attribution::of_turnout(now_ms, "its record does not read");
        let record = FlagRecord {
            definition: member(json, "definition"),
            pin: member(json, "pin"),
            split: member(json, "split"),
            stop: Some(member(json, "stop").unwrap_or_else(unread)),
            unknown: Unknown::default(),
        };
        (record, false)
    }

    /// Whether no operator holds anything over the file.
    pub fn is_as_its_file(&self) -> bool {
        let FlagRecord { definition: _, pin, split, stop, unknown } = self;
        pin.is_none() && split.is_none() && stop.is_none() && unknown.is_empty()
    }

    /// The blobs it refers to.
    pub fn blobs(&self) -> impl Iterator<Item = ContentHash> {
        self.definition.into_iter().chain(self.pin.as_ref().map(|pin| pin.definition))
    }
}

impl SegmentRecord {
    /// The blobs it refers to.
    pub fn blobs(&self) -> impl Iterator<Item = ContentHash> {
        let users_file = self.users_file.as_ref().map(|list| list.content);
        self.file.into_iter().chain(users_file).chain(self.internal_user_ids)
    }

    /// Whether no good form of it is known.
    pub fn is_empty(&self) -> bool {
        *self == SegmentRecord::default()
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Members that a newer build may write into each kind of record, after the members this build
    /// knows.
    #[test]
    fn members_of_a_newer_build_are_written_back_as_they_came() {
        let mark = r#"{"by":"oncall","byId":"3f0c","atMs":1,"reason":"r","ticket":7}"#;
        let id = ContentHash::of(b"");
        let held = format!(
            r#"{{"split":{{"realtime-v2":"10%","disabled":"0%"}},"mark":{mark},"ends":{{"atMs":2,"split":null,"named":false,"zone":"x"}},"step":1}}"#
        );
        let pin = format!(r#"{{"definition":"{id}","of":3,"mark":{mark},"until":4}}"#);
        let flag = format!(
            r#"{{"definition":"{id}","pin":{pin},"split":{held},"stop":{mark},"guard":{{"limit":0.5}},"plan":[1,"two"]}}"#
        );
        let segment = format!(
            r#"{{"file":"{id}","usersFile":{{"path":"a.txt","content":"{id}","lines":2}},"internalUserIds":"{id}","kind":"x"}}"#
        );
        let read: FlagRecord = serde_json::from_str(&flag).unwrap();
        assert_eq!(Record::Flag(read).json(), flag);
        let read: SegmentRecord = serde_json::from_str(&segment).unwrap();
        assert_eq!(Record::Segment(read).json(), segment);
        let credential = format!(
            r#"{{"name":"oncall","role":"viewer","flags":null,"hash":"{id}","createdAtMs":1,"createdBy":"a","expiresAtMs":null,"revokedAtMs":null,"network":"10.0.0.0/8"}}"#
        );
        let read: CredentialRecord = serde_json::from_str(&credential).unwrap();
        assert_eq!(Record::Credential(read).json(), credential);
    }

    #[test]
    fn a_stop_is_read_whatever_else_does_not() {
        let stop = Attribution {
            by: "oncall".into(),
            at_ms: 1,
            reason: None,
            unknown: Unknown::default(),
        };
        for (record, by, whole) in [
            (r#"{"definition":null,"stop":{"by":"oncall","atMs":1}}"#, Some("oncall"), true),
            (r#"{"definition":null,"newer":true}"#, None, true),
            (r#"{"definition":5,"stop":{"by":"oncall","atMs":1}}"#, Some("oncall"), false),
            (r#"{"split":"newer","stop":{"by":"oncall","atMs":1}}"#, Some("oncall"), false),
            (r#"{"split":"newer"}"#, Some("turnout"), false),
            (r#"{"stop":true}"#, Some("turnout"), false),
            ("[]", Some("turnout"), false),
        ] {
            let json: Json = serde_json::from_str(record).unwrap();
            let (read, is_whole) = FlagRecord::as_far_as_it_reads(&json, 9);
            assert_eq!(
                (read.stop.as_ref().map(|stop| &*stop.by.name), is_whole),
                (by, whole),
                "{record}"
            );
            assert!(by != Some("oncall") || read.stop == Some(stop.clone()), "{record}");
        }
    }
}

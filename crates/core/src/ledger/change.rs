//! The change of one subject in a revision.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::credential::CredentialId;
use super::record::{FlagRecord, Record, SegmentRecord};
use crate::flag::{FlagKey, SegmentKey};

/// A flag, a segment or a credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Flag(FlagKey),
    Segment(SegmentKey),
    Credential(CredentialId),
}

impl Subject {
    /// `flag`, `segment` or `credential`.
    pub fn kind(&self) -> &'static str {
        match self {
            Subject::Flag(_) => "flag",
            Subject::Segment(_) => "segment",
            Subject::Credential(_) => "credential",
        }
    }

    pub fn key(&self) -> &str {
        match self {
            Subject::Flag(key) => key.as_str(),
            Subject::Segment(key) => key.as_str(),
            Subject::Credential(id) => id.as_str(),
        }
    }

    /// `None` if the kind or the key is not valid.
    pub fn parse(kind: &str, key: &str) -> Option<Subject> {
        match kind {
            "flag" => key.parse().ok().map(Subject::Flag),
            "segment" => key.parse().ok().map(Subject::Segment),
            "credential" => key.parse().ok().map(Subject::Credential),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.key())
    }
}

/// How the subject was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Its definition was recorded, for the first time or anew.
    Define,
    Set,
    Unset,
    Stop,
    Resume,
    /// The state that was in force at this revision was restored.
    Rollback {
        to: u64,
    },
    /// A held split expired.
    Expire,
    /// It never had a good form, and its file is gone.
    Remove,
    /// A credential was made.
    Create,
    /// A credential was revoked before its expiry.
    Revoke,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Define => "define",
            Action::Set => "set",
            Action::Unset => "unset",
            Action::Stop => "stop",
            Action::Resume => "resume",
            Action::Rollback { .. } => "rollback",
            Action::Expire => "expire",
            Action::Remove => "remove",
            Action::Create => "create",
            Action::Revoke => "revoke",
        }
    }

    /// The revision a rollback went back to.
    pub fn target_revision(self) -> Option<u64> {
        match self {
            Action::Rollback { to } => Some(to),
            _ => None,
        }
    }

    pub fn parse(text: &str, to: Option<u64>) -> Option<Action> {
        Some(match (text, to) {
            ("define", None) => Action::Define,
            ("set", None) => Action::Set,
            ("unset", None) => Action::Unset,
            ("stop", None) => Action::Stop,
            ("resume", None) => Action::Resume,
            ("rollback", Some(to)) => Action::Rollback { to },
            ("expire", None) => Action::Expire,
            ("remove", None) => Action::Remove,
            ("create", None) => Action::Create,
            ("revoke", None) => Action::Revoke,
            _ => return None,
        })
    }
}

/// One subject, before and after the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub subject: Subject,
    pub action: Action,
    /// `None` where there was no record.
    pub before: Option<Record>,
    pub after: Option<Record>,
}

impl Change {
    pub fn of_flag(
        key: &FlagKey,
        action: Action,
        before: Option<FlagRecord>,
        after: Option<FlagRecord>,
    ) -> Change {
        let (before, after) = (before.map(Record::Flag), after.map(Record::Flag));
        Change { subject: Subject::Flag(key.clone()), action, before, after }
    }

    pub fn of_segment(
        key: &SegmentKey,
        action: Action,
        before: Option<SegmentRecord>,
        after: Option<SegmentRecord>,
    ) -> Change {
        let (before, after) = (before.map(Record::Segment), after.map(Record::Segment));
        Change { subject: Subject::Segment(key.clone()), action, before, after }
    }
}

//! Who did something, when and why.

use serde::{Deserialize, Serialize};

use super::actor::{self, Actor};
use super::unknown::Unknown;

/// The mark that a command leaves in a record. Members of a newer build are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    #[serde(flatten, with = "actor::by")]
    pub by: Actor,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Attribution {
    /// The mark of the service itself, where it stops what it cannot read.
    pub fn of_turnout(at_ms: i64, reason: &str) -> Attribution {
        Attribution {
            by: "turnout".into(),
            at_ms,
            reason: Some(reason.to_owned()),
            unknown: Unknown::default(),
        }
    }

    pub(super) fn is_of_newer_build(&self) -> bool {
        !self.unknown.is_empty()
    }
}

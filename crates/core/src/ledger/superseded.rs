//! What is remembered of a request whose entry was superseded.

use serde::{Deserialize, Serialize};

use super::actor::{self, Actor};
use super::blob::ContentHash;

/// The most superseded requests that one entry remembers: the newest ones.
pub(super) const MAX_SUPERSEDED: usize = 32;
/// The most superseded requests that all entries remember together.
pub(super) const MAX_SUPERSEDED_IN_ALL: usize = 8192;

/// A request whose entry was superseded before it was committed: when it is sent again, it is
/// recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Superseded {
    pub id: String,
    pub at_ms: i64,
    #[serde(flatten, with = "actor::actor")]
    pub actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ContentHash>,
}

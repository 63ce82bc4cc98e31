//! The keys that Turnout signs its own sessions and tokens with.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::strict::Body;
use crate::words::words;

words! {
    /// What a key does.
    pub enum KeyState {
        /// It is published, and signs later.
        Next = "next",
        Signs = "signs",
        /// It signs no more, and what it signed is accepted.
        Believed = "believed",
    }
}

/// One key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The thumbprint of its public half (RFC 7638), which tokens name as `kid`.
    pub id: String,
    pub state: KeyState,
    /// Since when it signs, or from when on; `null` for a key of a file.
    pub signs_from_ms: Option<i64>,
}

/// The keys, in the order in which they sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    pub keys: Vec<Key>,
    /// The file that lists them, if a person keeps them.
    pub listed_in: Option<String>,
}

/// What the keys are after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeysChanged {
    pub keys: Vec<Key>,
    /// Whether the change is written down.
    pub survives_restart: bool,
}

/// A change of the keys takes no members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeKeys {}

impl Body for ChangeKeys {
    const MEMBERS: &'static [(&'static str, &'static str)] = &[];
}

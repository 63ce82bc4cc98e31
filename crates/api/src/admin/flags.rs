//! The status: the database first, then every flag.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::convergence::StreamCounts;
use super::tokens::Role;
use crate::schema::{self, FlagKey};
use crate::words::words;

words! {
    /// What decides what a flag serves.
    pub enum FlagStatus {
        /// Its definition, with what is held over it.
        Rollout = "rollout",
        /// A stop.
        Stopped = "stopped",
        /// `enabled: false` in its file.
        Off = "off",
        /// Its file has no good form.
        NoDefinition = "no-definition",
    }
}

words! {
    /// Whether the database is asked and believed.
    pub enum DatabaseStatus {
        Up = "up",
        Down = "down",
        /// It is reached and not believed.
        Held = "held",
    }
}

/// The shares of the buckets, the rest of which the default has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Split {
    #[serde(rename = "realtime-v2")]
    #[schema(schema_with = schema::share)]
    pub realtime: String,
    #[schema(schema_with = schema::share)]
    pub disabled: String,
}

/// Who did something, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    pub by: String,
    #[schema(required, schema_with = schema::credential_id)]
    pub by_id: Option<String>,
    pub at_ms: i64,
    #[schema(required)]
    pub reason: Option<String>,
}

/// A split that an operator holds over the file's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Held {
    pub split: Split,
    #[serde(flatten)]
    pub mark: Attribution,
    #[schema(required)]
    pub ends: Option<End>,
}

/// The end of a held split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct End {
    pub at_ms: i64,
    #[schema(required)]
    pub split: Option<Split>,
    /// Whether it was named what comes then; only then may it widen.
    pub named: bool,
}

/// An earlier definition that is held over the file's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pin {
    /// The revision it was brought back from.
    pub revision: u64,
    #[serde(flatten)]
    pub mark: Attribution,
}

/// What an operator holds over the file, by its slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overrides {
    #[schema(required)]
    pub stop: Option<Attribution>,
    #[schema(required)]
    pub held: Option<Held>,
    #[schema(required)]
    pub pin: Option<Pin>,
}

/// A flag as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlagState {
    #[schema(value_type = FlagKey)]
    pub flag: String,
    /// At which it, or a segment it names, last changed: what `expectedRevision` is compared with.
    pub revision: u64,
    pub state: FlagStatus,
    /// What is served, in a few words.
    pub live: String,
    /// What its file alone would serve.
    #[schema(required)]
    pub file: Option<String>,
    /// Whether an operator holds what the file says otherwise.
    pub drift: bool,
    #[schema(required)]
    pub split: Option<Split>,
    #[schema(required)]
    pub file_split: Option<Split>,
    #[schema(required)]
    pub owner: Option<String>,
    /// Its open streams; `null` where they were not counted.
    #[schema(required)]
    pub clients: Option<StreamCounts>,
    #[serde(flatten)]
    pub overrides: Overrides,
}

/// Whether the database is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    pub state: DatabaseStatus,
    #[schema(required)]
    pub why: Option<String>,
    #[schema(required)]
    pub since_ms: Option<i64>,
}

/// The room for streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamRoom {
    /// How many are open.
    pub open: usize,
    /// How many there may be.
    pub limit: usize,
}

/// Who asks, and what the credential may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Caller {
    pub role: Role,
    /// The flags it may change; `null` for all.
    #[schema(required, value_type = Option<Vec<FlagKey>>)]
    pub flags: Option<Vec<String>>,
}

/// How it stands. The flags may be any list: a server writes them one after the other, without a
/// list of them all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Status)]
pub struct Status<F = Vec<FlagState>> {
    /// The newest revision known.
    pub revision: u64,
    #[schema(schema_with = schema::position)]
    pub position: String,
    /// Changes that are live and not yet in the database.
    pub pending: usize,
    pub database: Database,
    /// How many problems there are.
    pub problems: usize,
    /// Whether server-auth mode answers `polling` for every `realtime-v2`, whatever flags say.
    pub server_auth: bool,
    pub streams: StreamRoom,
    /// Who asks; an older server does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    pub caller: Option<Caller>,
    /// In the order of keys.
    #[schema(value_type = Vec<FlagState>)]
    pub flags: F,
}

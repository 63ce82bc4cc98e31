//! What changes a flag, and what came of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::flags::FlagState;
use super::history::{ActionName, ChangeEffect, Revision};
use crate::integer;
use crate::problem::Problem;
use crate::schema::{self, FlagKey};
use crate::strict::Body;
use crate::words::words;

const REASON: &str = "one line of text of at most 500 bytes";
const REVISION: &str = "the number of a revision";
const SHARE: &str = "a share as text, with a per cent sign: \"12.5%\"";

/// What a command without members of its own may say: `unset`, and both stops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlainCommand {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reason)]
    pub reason: Option<String>,
    /// The revision the caller looked at: what widens is refused if the flag changed after it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "integer::optional"
    )]
    pub expected_revision: Option<u64>,
}

impl Body for PlainCommand {
    const MEMBERS: &'static [(&'static str, &'static str)] =
        &[("reason", REASON), ("expectedRevision", REVISION)];
}

/// The split to hold over the file's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetCommand {
    #[serde(rename = "realtime-v2", default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::share_or_null)]
    pub realtime: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::share_or_null)]
    pub disabled: Option<String>,
    /// How long it is held, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 31_622_400_000_i64)]
    pub for_ms: Option<i64>,
    /// The share of `realtime-v2` after that, also if it widens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::share_or_null)]
    pub then: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reason)]
    pub reason: Option<String>,
    /// The revision the caller looked at: what widens is refused if the flag changed after it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "integer::optional"
    )]
    pub expected_revision: Option<u64>,
}

impl Body for SetCommand {
    const MEMBERS: &'static [(&'static str, &'static str)] = &[
        ("reason", REASON),
        ("expectedRevision", REVISION),
        ("realtime-v2", SHARE),
        ("disabled", SHARE),
        ("forMs", "a time in milliseconds"),
        ("then", SHARE),
    ];
}

/// What follows a stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeCommand {
    /// The share of `realtime-v2` to come back at, instead of the one before the stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::share_or_null)]
    pub at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reason)]
    pub reason: Option<String>,
    /// The revision the caller looked at: what widens is refused if the flag changed after it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "integer::optional"
    )]
    pub expected_revision: Option<u64>,
}

impl Body for ResumeCommand {
    const MEMBERS: &'static [(&'static str, &'static str)] =
        &[("reason", REASON), ("expectedRevision", REVISION), ("at", SHARE)];
}

/// What to go back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackCommand {
    /// The revision whose definition and split return; the newest change is undone, unless said.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "integer::optional"
    )]
    #[schema(minimum = 1)]
    pub to: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reason)]
    pub reason: Option<String>,
    /// The revision the caller looked at: what widens is refused if the flag changed after it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "integer::optional"
    )]
    pub expected_revision: Option<u64>,
}

impl Body for RollbackCommand {
    const MEMBERS: &'static [(&'static str, &'static str)] =
        &[("reason", REASON), ("expectedRevision", REVISION), ("to", REVISION)];
}

words! {
    /// What became of a command.
    pub enum CommandOutcome {
        Committed = "committed",
        /// It is live, and not known to be in the database.
        Pending = "pending",
        /// It was so already.
        Unchanged = "unchanged",
        /// It was done before, under the same idempotency key.
        Repeated = "repeated",
    }
}

/// What came of a command, and what is live now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub outcome: CommandOutcome,
    /// The revision it made; `null` where it made none, or none yet.
    #[schema(required)]
    pub revision: Option<u64>,
    #[schema(schema_with = schema::position)]
    pub position: String,
    pub survives_restart: bool,
    /// Whether what was asked for is so now; of a repeated order it may have been taken back since.
    pub in_force: bool,
    pub changes: Vec<FlagChange>,
    #[schema(required)]
    pub flag: Option<FlagState>,
    /// What must not be overlooked.
    pub notes: Vec<String>,
    /// The command that undoes it.
    #[schema(required)]
    pub undo: Option<String>,
}

/// What a command did to one flag, in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlagChange {
    #[schema(value_type = FlagKey)]
    pub flag: String,
    pub action: ActionName,
    #[schema(required)]
    pub back_to: Option<u64>,
    #[schema(required)]
    pub was: Option<String>,
    pub wanted: String,
    #[schema(required)]
    pub live: Option<String>,
    /// What clients get of it; `null` where it cannot be said.
    #[schema(required)]
    pub effect: Option<ChangeEffect>,
    /// Whether an operator then holds a split or a definition over the file's, and no end was set.
    #[serde(default)]
    #[schema(required)]
    pub stays_held: bool,
}

/// Why a command was refused that may not widen, and what it would have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Widening {
    #[serde(flatten)]
    pub problem: Problem,
    /// Whether it would have widened; false where it only takes away what is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub widens: Option<bool>,
    /// What it would have changed, where that was why it was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would: Vec<FlagChange>,
}

/// Why a command was refused, and what was changed meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    #[serde(flatten)]
    pub problem: Problem,
    /// What was changed meanwhile, the newest first.
    pub since: Vec<Revision>,
}

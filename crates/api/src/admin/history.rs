//! What was changed, by whom and why; and whether any row was altered.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::words::words;

words! {
    /// What was done; more may be added.
    pub open enum ActionName {
        Set = "set",
        Unset = "unset",
        Stop = "stop",
        Resume = "resume",
        Rollback = "rollback",
        Define = "define",
        Expire = "expire",
        Remove = "remove",
        Create = "create",
        Revoke = "revoke",
    }
}

words! {
    /// What a change is of.
    pub enum SubjectKind {
        Flag = "flag",
        Segment = "segment",
        Credential = "credential",
    }
}

words! {
    /// Where a revision came from.
    pub enum ChangeSource {
        File = "file",
        Api = "api",
        Expire = "expire",
        Accept = "accept",
        Upgrade = "upgrade",
    }
}

words! {
    /// What clients got of a change of a flag.
    pub open enum ChangeEffect {
        /// They got it.
        Live = "live",
        /// Nothing: what is served is as it was.
        Unchanged = "unchanged",
        /// Nothing while the flag is stopped.
        Stopped = "stopped",
        /// Nothing while an operator holds a split over the file's.
        Held = "held",
        /// Nothing while an earlier definition is held over the file's.
        Pinned = "pinned",
        /// Nothing while the file says `enabled: false`.
        Off = "off",
    }
}

/// Which revisions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryParams {
    pub flag: Option<String>,
    pub before: Option<u64>,
    pub after: Option<u64>,
    pub limit: Option<u32>,
}

/// What was changed at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Its number.
    pub revision: u64,
    pub committed_at_ms: i64,
    /// When it was first live.
    pub effective_at_ms: i64,
    pub actor: String,
    #[schema(required, schema_with = schema::credential_id)]
    pub actor_id: Option<String>,
    pub origin: ChangeSource,
    #[schema(required)]
    pub reason: Option<String>,
    #[schema(required)]
    pub idempotency_key: Option<String>,
    pub changes: Vec<Change>,
    #[schema(schema_with = schema::sha256)]
    pub hash: String,
    /// How many changes it has beside these, if any: the first hundred are told, and what was done
    /// to the flag that is asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub more_changes: Option<u64>,
}

/// What was done to one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub kind: SubjectKind,
    pub key: String,
    pub action: ActionName,
    /// The revision a rollback went back to.
    #[schema(required)]
    pub back_to: Option<u64>,
    /// What it served before, in a few words.
    #[schema(required)]
    pub was: Option<String>,
    /// What it serves with it, in a few words.
    #[schema(required)]
    pub is: Option<String>,
    /// What was asked for: of a file its own rollout, of a command the flag's when it is not
    /// stopped; `null` for a stop, a resume, and what is no flag.
    #[schema(required)]
    pub requested: Option<Requested>,
    /// What clients got of it; `null` for what is no flag, and where it cannot be said.
    #[schema(required)]
    pub effect: Option<ChangeEffect>,
}

/// What was asked for before a change, and with it, in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Requested {
    #[schema(required)]
    pub was: Option<String>,
    pub is: String,
}

/// A page of revisions, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    pub revisions: Vec<Revision>,
    /// Whether there are older ones that were asked for.
    pub more: bool,
}

/// What reading every row came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    pub sound: bool,
    /// How many were read.
    pub revisions: u64,
    /// What is wrong, the oldest first.
    pub faults: Vec<String>,
    #[schema(required)]
    pub compared_with_revision: Option<u64>,
}

//! Credentials: made, listed and revoked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::{self, FlagKey};
use crate::strict::Body;
use crate::words::words;

words! {
    /// What a credential is for.
    pub enum Role {
        /// Reads.
        Viewer = "viewer",
        /// Reads, stops and lowers: for people on call and for alerts.
        Stopper = "stopper",
        /// Changes flags.
        Operator = "operator",
        /// Changes flags and credentials.
        Admin = "admin",
        /// A server of the application: asks for any user on the public listener, and cannot use
        /// the admin listener.
        Server = "server",
    }
}

words! {
    /// Whether a credential is accepted.
    pub enum TokenState {
        Good = "good",
        Expired = "expired",
        Revoked = "revoked",
    }
}

words! {
    /// What became of a revocation.
    pub enum RevocationOutcome {
        Committed = "committed",
        /// It is live and not yet in the database.
        Pending = "pending",
        Unchanged = "unchanged",
    }
}

/// The credential to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({ "name": "oncall", "role": "stopper" })))]
pub struct CreateToken {
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    pub name: String,
    pub role: Role,
    /// When it expires, from now; 90 days, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 316_224_000_000_i64)]
    pub expires_after_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reason)]
    pub reason: Option<String>,
    /// The flags it may change; all, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<FlagKey>>)]
    pub flags: Option<Vec<String>>,
}

impl Body for CreateToken {
    const MEMBERS: &'static [(&'static str, &'static str)] = &[
        ("name", "a text"),
        ("role", "one of viewer, stopper, operator, admin, server"),
        ("flags", "a list of flags' keys"),
        ("expiresAfterMs", "a time in milliseconds"),
        ("reason", "one line of text of at most 500 bytes"),
    ];
    const NEEDED: &'static [(&'static str, &'static str)] = &[
        ("name", "a token needs a `name`, which the history will show"),
        ("role", "a token needs a `role`: one of viewer, stopper, operator, admin, server"),
    ];
}

/// Why a credential is revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeToken {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::reason)]
    pub reason: Option<String>,
}

impl Body for RevokeToken {
    const MEMBERS: &'static [(&'static str, &'static str)] =
        &[("reason", "one line of text of at most 500 bytes")];
}

/// A credential, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub id: String,
    pub name: String,
    pub role: Role,
    /// The flags it may change; `null` for all.
    #[schema(required, value_type = Option<Vec<FlagKey>>)]
    pub flags: Option<Vec<String>>,
    pub state: TokenState,
    pub created_at_ms: i64,
    pub created_by: String,
    #[schema(required, schema_with = schema::credential_id)]
    pub created_by_id: Option<String>,
    #[schema(required)]
    pub expires_at_ms: Option<i64>,
    #[schema(required)]
    pub revoked_at_ms: Option<i64>,
    #[schema(required)]
    pub revoked_by: Option<String>,
    #[schema(required, schema_with = schema::credential_id)]
    pub revoked_by_id: Option<String>,
}

/// The credentials there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    pub tokens: Vec<Token>,
}

/// A credential that was made, with its secret for this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    #[serde(flatten)]
    pub token: Token,
    /// Shown this once.
    pub secret: String,
    /// The revision that made it.
    pub revision: u64,
}

/// The secret stands in no log.
impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("token", &self.token).finish_non_exhaustive()
    }
}

/// A credential that is no longer good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// Its id; `local-admin` for the data folder's own.
    pub revoked: String,
    pub outcome: RevocationOutcome,
    /// The revision it made; `null` where it made none, or none yet.
    #[schema(required)]
    pub revision: Option<u64>,
    pub survives_restart: bool,
}

//! Why a user gets what they get.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::flags::{Overrides, Split};
use crate::schema::{self, FlagKey};
use crate::strategy::{Reason, Rule, Strategy};
use crate::strict::Body;
use crate::words::words;

words! {
    /// Who vouches for the attributes.
    pub enum IdentityName {
        /// A session token.
        Verified = "verified",
        /// A server key.
        Server = "server",
        /// Without a credential: a plain body.
        Plain = "plain",
    }
}

words! {
    /// What a step came to.
    pub enum StepResult {
        Yes = "yes",
        No = "no",
        Missing = "missing",
        Error = "error",
    }
}

/// The user to explain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExplainRequest {
    #[schema(max_length = 256)]
    pub targeting_key: Option<String>,
    /// As a client sends them.
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<Map<String, Value>>,
    /// Attributes as texts, read as the types the flag declares.
    pub text_attributes: Option<BTreeMap<String, String>>,
    /// Who vouches for the attributes; a session token, unless said.
    pub identity: Option<IdentityName>,
    /// Pretend this bucket.
    #[schema(minimum = 0, maximum = 99_999)]
    pub bucket: Option<u32>,
}

impl Body for ExplainRequest {
    const MEMBERS: &'static [(&'static str, &'static str)] = &[
        ("targetingKey", "a text"),
        ("attributes", "an object"),
        ("textAttributes", "an object of texts"),
        ("identity", "verified, server or plain"),
        ("bucket", "a number from 0 to 99999"),
    ];
}

/// The story of one answer, from the files or from what is live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    #[schema(value_type = FlagKey)]
    pub flag: String,
    /// Who was assumed to vouch for the attributes.
    pub identity: IdentityName,
    pub strategy: Strategy,
    pub reason: Reason,
    pub rule: Rule,
    #[schema(required)]
    pub bucket: Option<u32>,
    #[schema(required)]
    pub hash: Option<u32>,
    #[schema(required)]
    pub salt: Option<String>,
    /// The split in force.
    #[schema(required)]
    pub rollout: Option<Split>,
    #[schema(required)]
    pub default: Option<Strategy>,
    /// In the order they were looked at.
    pub steps: Vec<TraceStep>,
    /// What deserves a look in the attributes: names and values that the flag does not declare.
    pub notes: Vec<String>,
}

/// One step that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TraceStep {
    pub step: Rule,
    /// Which entry of a list, from 1.
    #[schema(required)]
    pub entry: Option<usize>,
    /// A rule's name.
    #[schema(required)]
    pub name: Option<String>,
    pub result: StepResult,
    /// The attributes that were missing, or of another type than declared.
    pub attributes: Vec<String>,
    /// Whether the answer is this step's.
    pub decided: bool,
}

/// The story of one answer of a server, and what is held over the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveExplanation {
    #[serde(flatten)]
    pub explanation: Explanation,
    #[schema(schema_with = schema::position)]
    pub position: String,
    #[serde(flatten)]
    pub overrides: Overrides,
}

//! What a client asks with.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::schema::{self, TargetingKey};

/// Who asks, and what the rules of flags may ask about them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({ "targetingKey": "u-1", "attributes": { "platform": "web" } })))]
pub struct Question {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TargetingKey, required = false)]
    pub targeting_key: Option<String>,
    /// What the rules of flags may ask. Lists and objects are values no rule can ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::attributes)]
    pub attributes: Option<Map<String, Value>>,
}

//! Sessions and tokens that Turnout signs itself, and sessions that are revoked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::schema::{self, FlagKey};
use crate::strict::Body;

/// A session to make for a user, by a server of the application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({ "targetingKey": "u-1", "streams": { "build-events": ["b-42"] } })))]
pub struct NewSession {
    #[schema(min_length = 1, max_length = 256)]
    pub targeting_key: String,
    /// What is known of the user. It counts as verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::attributes)]
    pub attributes: Option<Map<String, Json>>,
    /// Streams of flags that the user may read besides those that list the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<BTreeMap<String, Vec<String>>>,
    /// How long it lives; one hour, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1_000, maximum = 86_400_000)]
    pub ttl_ms: Option<u64>,
}

impl Body for NewSession {
    const MEMBERS: &'static [(&'static str, &'static str)] = &[
        ("targetingKey", "a text: who the session is for"),
        ("attributes", "an object: what is known of the user"),
        ("streams", "an object: lists of streams, by the flag's key"),
        ("ttlMs", "a time in milliseconds"),
    ];
    const NEEDED: &'static [(&'static str, &'static str)] =
        &[("targetingKey", "a session needs a `targetingKey`: who it is for")];
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// A session token, which its user sends as `Authorization: Bearer`.
    pub session: String,
    pub expires_in_ms: u64,
}

/// What a token for streams is asked for, by a verified user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "flag": "build-events", "stream": "b-42" })))]
pub struct NewToken {
    #[schema(value_type = FlagKey)]
    pub flag: String,
    /// One stream; or `streams`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// At most 20 streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<Vec<String>>,
    /// What the strategy was asked with besides the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::attributes)]
    pub attributes: Option<Map<String, Json>>,
}

impl Body for NewToken {
    const MEMBERS: &'static [(&'static str, &'static str)] = &[
        ("flag", "a flag's key"),
        ("stream", "the name of a stream"),
        ("streams", "a list of names of streams"),
        ("attributes", "an object: what the strategy was asked with"),
    ];
    const NEEDED: &'static [(&'static str, &'static str)] =
        &[("flag", "a token needs a `flag`, and a `stream` of it or several `streams`")];
}

/// A token for streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamToken {
    /// Sent as `Authorization: Bearer` to open a stream; good for nothing else.
    pub token: String,
    #[schema(examples("Bearer"))]
    pub token_type: String,
    pub expires_in_ms: u64,
    /// When to ask for the next one.
    pub refresh_after_ms: u64,
}

/// Whose sessions are revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({ "targetingKey": "u-1" })))]
pub struct RevokeSessions {
    /// Whose sessions: at most 256 bytes of UTF-8, taken as given.
    #[schema(min_length = 1, max_length = 256)]
    pub targeting_key: String,
}

impl Body for RevokeSessions {
    const MEMBERS: &'static [(&'static str, &'static str)] =
        &[("targetingKey", "the user's id, a text of 1 to 256 bytes")];
    const NEEDED: &'static [(&'static str, &'static str)] =
        &[("targetingKey", "`targetingKey` has to say whose sessions are revoked")];
}

/// What became of a revocation. It counts in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionsRevoked {
    /// Whatever was issued to the user until then is refused, in milliseconds since 1970.
    pub revoked_at_ms: i64,
    /// Whether it is durable. If not, it is written as soon as the disk takes it.
    pub survives_restart: bool,
}

/// The public halves of the keys that sessions and tokens are signed with (RFC 7517 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwks {
    pub keys: Vec<Jwk>,
}

/// The public half of a key (RFC 7517 §4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    #[schema(examples("EC"))]
    pub kty: String,
    #[schema(examples("P-256"))]
    pub crv: String,
    pub x: String,
    pub y: String,
    /// Its thumbprint (RFC 7638), which tokens name.
    pub kid: String,
    #[schema(examples("ES256"))]
    pub alg: String,
    #[serde(rename = "use")]
    #[schema(examples("sig"))]
    pub usage: String,
}

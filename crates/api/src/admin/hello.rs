//! A server proves that it is the one a token is for, to a caller that has not sent the token yet.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;
use crate::strict::Body;

/// Whose token the server is to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HelloRequest {
    /// One line of at most 128 bytes of UTF-8.
    #[schema(min_length = 32, max_length = 128)]
    pub nonce: String,
    /// The first hex digits of the token's SHA-256.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub token: String,
}

impl Body for HelloRequest {
    const MEMBERS: &'static [(&'static str, &'static str)] = &[
        ("nonce", "one line of text of at most 128 bytes"),
        ("token", "one line of text of at most 16 bytes"),
    ];
    const NEEDED: &'static [(&'static str, &'static str)] =
        &[("nonce", "`nonce` has 32 to 128 bytes"), ("token", "`token` has 16 hex digits")];
}

/// The proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hello {
    /// Where the server listens.
    pub address: String,
    /// HMAC-SHA256 in hex; the key is the token's SHA-256 as hex digits, and what is signed are
    /// `turnout-server-proof-1`, the length of `nonce` as eight bytes, `nonce` and `address`.
    #[schema(schema_with = schema::sha256)]
    pub proof: String,
}

//! The first part of a token, of which only what names its algorithm and its key is used.
//!
//! Keys and addresses of keys that a token brings along (`jwk`, `jku`, `x5c`, `x5u`) are never
//! read.

use serde_json::Value as Json;

use super::InvalidCredential;
use super::claims::Members;
use super::keys::Algorithm;
use super::token_kind::TokenKind;

/// The longest key id that is looked up, in bytes.
const MAX_KEY_ID_BYTES: usize = 256;

/// A header that fits the pinned algorithm.
pub struct Header {
    pub key_id: Option<String>,
}

impl Header {
    pub fn read(
        part: &str,
        algorithm: Algorithm,
        expected: TokenKind,
    ) -> Result<Header, InvalidCredential> {
        let members = Members::decode(part)?;
        let named = members.get("alg").is_some_and(|named| *named == *algorithm.as_str());
        let kind = match members.get("typ") {
            None => expected.accepts(None),
            Some(Json::String(kind)) => expected.accepts(Some(kind)),
            Some(_) => false,
        };
        // Critical extensions are not understood, and a wrapped or compressed payload does not hold
        // claims.
        let plain =
            ["crit", "b64", "cty", "enc", "zip"].iter().all(|name| members.get(name).is_none());
        let key_id = match members.get("kid") {
            None => None,
            Some(Json::String(id)) if id.len() <= MAX_KEY_ID_BYTES => Some(id.clone()),
            Some(_) => return Err(InvalidCredential),
        };
        if named && kind && plain { Ok(Header { key_id }) } else { Err(InvalidCredential) }
    }
}

//! What a strategy was asked with, as a token for streams carries it: so that a stream asks the same
//! question at its start and at each change.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::auth::{KeyDigest, Session};
use crate::flag::{Attributes, Value};
use crate::http::public::{Caller, KeptContext};

/// The most bytes of it, before it is sealed.
pub const MAX_CONTEXT_BYTES: usize = 1_024;

/// The text that is sealed.
#[derive(Serialize, Deserialize)]
struct Text {
    /// Attributes that are proved, and those that the user says.
    proved: Map<String, Json>,
    said: Map<String, Json>,
    /// Which names were sent and not kept.
    dropped: u64,
    /// Streams that the session named; the others list the user.
    named: BTreeSet<String>,
}

/// What a token was asked for with.
pub struct TokenContext {
    pub kept: KeptContext,
    named: BTreeSet<String>,
    /// The key of the session.
    key: KeyDigest,
}

impl TokenContext {
    pub fn new(kept: KeptContext, named: BTreeSet<String>, session: &Session) -> TokenContext {
        TokenContext { kept, named, key: *session.key_digest() }
    }

    /// Whether the session named the stream, so that its readers do not matter.
    pub fn is_named(&self, stream: &str) -> bool {
        self.named.contains(stream)
    }

    /// What to seal: the session's key, and a text of at most [`MAX_CONTEXT_BYTES`]; `None` if it is
    /// longer.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let text = Text {
            proved: to_json(self.kept.caller().claims()),
            said: to_json(self.kept.plain()),
            dropped: self.kept.dropped(),
            named: self.named.clone(),
        };
        let mut bytes = self.key.to_vec();
        serde_json::to_writer(&mut bytes, &text).ok()?;
        (bytes.len() - self.key.len() <= MAX_CONTEXT_BYTES).then_some(bytes)
    }

    /// Reads what was sealed in this token.
    pub fn from_bytes(bytes: &[u8], token: &Session) -> Option<TokenContext> {
        let (key, text) = bytes.split_first_chunk()?;
        let Text { proved, said, dropped, named } = serde_json::from_slice(text).ok()?;
        let user = token.with_attributes(from_json(proved)).vouched_by(*key);
        let kept = KeptContext::restored(Caller::User(Arc::new(user)), from_json(said), dropped);
        Some(TokenContext { kept, named, key: *key })
    }
}

fn to_json(attributes: &Attributes<'_>) -> Map<String, Json> {
    let value = |value: &Value<'_>| match value {
        Value::Null => Json::Null,
        Value::Bool(is) => (*is).into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.as_ref().into(),
        // A value that no rule can compare.
        Value::Other => Json::Array(Vec::new()),
    };
    attributes.iter().map(|(name, said)| (name.to_string(), value(said))).collect()
}

fn from_json(members: Map<String, Json>) -> Vec<(Cow<'static, str>, Value<'static>)> {
    let value = |json| match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(is),
        Json::Number(number) => number.as_f64().map_or(Value::Other, Value::Number),
        Json::String(text) => Value::Text(text.into()),
        Json::Array(_) | Json::Object(_) => Value::Other,
    };
    members.into_iter().map(|(name, said)| (Cow::Owned(name), value(said))).collect()
}

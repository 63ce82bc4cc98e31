//! The user of an evaluation, and what is known of them.
//!
//! A [`Context`] borrows everything, so making one costs nothing. It carries how far the caller is
//! trusted: an address proves who a user is only when a session token or a server's key backs it.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::bucket::MAX_UNIT_BYTES;

/// The most attributes a context carries.
pub const MAX_ATTRIBUTES: usize = 256;

/// The longest address that is looked up, in bytes (RFC 5321: 64 + 1 + 255).
pub const MAX_ADDRESS_BYTES: usize = 320;

/// How the user's identity was established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A session token was checked: `sub` is the targeting key, its claims are the attributes.
    Verified,
    /// A server key was checked: the server may ask for any user, and its attributes count as
    /// verified.
    Server,
    /// Neither: the body's values are used as claims, not as proof.
    Plain,
}

/// The value of an attribute. Lists and objects are [`Value::Other`]: no rule can compare them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    Other,
}

impl Value<'_> {
    /// The same value without borrows.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(is) => Value::Bool(is),
            Value::Number(number) => Value::Number(number),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Other => Value::Other,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(value: &'a Json) -> Value<'a> {
        match value {
            Json::Null => Value::Null,
            Json::Bool(is) => Value::Bool(*is),
            Json::Number(number) => number.as_f64().map_or(Value::Other, Value::Number),
            Json::String(text) => Value::Text(Cow::from(text.as_str())),
            Json::Array(_) | Json::Object(_) => Value::Other,
        }
    }
}

/// Attributes by name. The code that reads a request bounds their number.
pub type Attributes<'a> = [(Cow<'a, str>, Value<'a>)];

/// A targeting key: 1 to 256 bytes of UTF-8, taken as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetingKey<'a>(&'a str);

/// The key has more than [`MAX_UNIT_BYTES`] bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a targeting key has at most {MAX_UNIT_BYTES} bytes")]
pub struct KeyTooLong;

impl<'a> TargetingKey<'a> {
    /// An empty key is a missing one: `Ok(None)`.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Option<TargetingKey<'a>>, KeyTooLong> {
        match text.len() {
            0 => Ok(None),
            1..=MAX_UNIT_BYTES => Ok(Some(TargetingKey(text))),
            _ => Err(KeyTooLong),
        }
    }

    #[inline]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// An evaluation context: everything about the user that an answer may depend on.
///
/// ```
/// use turnout_core::flag::{Context, Identity, TargetingKey};
/// let key = TargetingKey::parse("u-1").unwrap();
/// let attributes = [("email".into(), "Ops@Example.com".into())];
/// let context = Context::new(Identity::Plain, key, &attributes);
/// assert!(!context.address().unwrap().is_verified());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    identity: Identity,
    targeting_key: Option<TargetingKey<'a>>,
    attributes: &'a Attributes<'a>,
    /// Claimed attributes, beside the proved ones.
    said: &'a Attributes<'a>,
}

impl<'a> Context<'a> {
    /// A context whose attributes are as trusted as its identity.
    #[inline]
    pub fn new(
        identity: Identity,
        targeting_key: Option<TargetingKey<'a>>,
        attributes: &'a Attributes<'a>,
    ) -> Context<'a> {
        Context { identity, targeting_key, attributes, said: &[] }
    }

    /// Adds attributes without proof, such as a body's beside a token. They never hide a proved
    /// attribute of the same name.
    #[inline]
    pub fn with_unverified(self, said: &'a Attributes<'a>) -> Context<'a> {
        Context { said, ..self }
    }

    #[inline]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The attributes that are as trusted as the identity.
    #[inline]
    pub fn attributes(&self) -> &'a Attributes<'a> {
        self.attributes
    }

    #[inline]
    pub fn targeting_key(&self) -> Option<TargetingKey<'a>> {
        self.targeting_key
    }

    /// The attribute's value; `None` if it is missing or null.
    #[inline]
    pub fn attribute(&self, name: &str) -> Option<&'a Value<'a>> {
        let value = named(self.attributes, name).or_else(|| named(self.said, name))?;
        (*value != Value::Null).then_some(value)
    }

    /// The attribute `email`, if it is a text short enough to be an address.
    pub fn address(&self) -> Option<Address<'a>> {
        match self.attribute("email") {
            Some(Value::Text(text)) if text.len() <= MAX_ADDRESS_BYTES => {
                Some(Address { text, verified: self.email_is_verified() })
            }
            _ => None,
        }
    }

    /// Whether the attribute `email` proves who the user is. Claimed attributes prove nothing and
    /// take no proof away.
    #[inline]
    pub fn email_is_verified(&self) -> bool {
        let claim = match named(self.attributes, "email_verified") {
            None | Some(Value::Null | Value::Bool(true)) => true,
            Some(Value::Text(text)) => text == "true",
            Some(_) => false,
        };
        let vouched = self.said.is_empty() || named(self.attributes, "email").is_some();
        claim && vouched && self.identity != Identity::Plain
    }
}

fn named<'a>(attributes: &'a Attributes<'a>, name: &str) -> Option<&'a Value<'a>> {
    attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// An e-mail address as given, and whether it is proved.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    text: &'a str,
    verified: bool,
}

impl Address<'_> {
    #[inline]
    pub fn is_verified(self) -> bool {
        self.verified
    }

    /// Calls `with` with the address in ASCII lower case, on the stack.
    pub fn folded<R>(self, with: impl FnOnce(&str) -> R) -> R {
        let mut bytes = [0; MAX_ADDRESS_BYTES];
        let bytes = &mut bytes[..self.text.len()];
        bytes.copy_from_slice(self.text.as_bytes());
        bytes.make_ascii_lowercase();
        // Lowering ASCII letters leaves UTF-8 valid; the type cannot express that, hence the
        // fallback.
        with(std::str::from_utf8(bytes).unwrap_or(self.text))
    }
}

/// The part of an address after its last `@`.
pub fn domain_of(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

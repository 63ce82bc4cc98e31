//! The names of things, checked once and then trusted.
//!
//! Each kind of name has its own type, so that a segment's key cannot be passed where a flag's is
//! needed.

use std::fmt;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text does not fit the pattern of its kind of name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must match {pattern}")]
pub struct BadName {
    pub pattern: &'static str,
}

impl BadName {
    /// What to write in its place.
    pub fn help(&self) -> &'static str {
        match self.pattern {
            AttributeName::PATTERN => {
                "use letters, digits, `_`, `.` and `-`, at most 64, and begin with a letter or `_`"
            }
            Salt::PATTERN => "use small letters, digits, `.`, `_` and `-`, at most 64",
            _ => {
                "use small letters, digits, `.`, `_` and `-`, at most 64, and begin with a letter or digit"
            }
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The pattern of this kind of name.
            pub const PATTERN: &'static str = $pattern;
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether `text` is a valid name of this kind.
            pub fn accepts(text: &str) -> bool {
                let accepts: fn(&str) -> bool = $accepts;
                accepts(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<$name, BadName> {
                if $name::accepts(text) { Ok($name(text.into())) } else { Err(BadName { pattern: $pattern }) }
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// The key of a flag; also the stem of its file's name.
    FlagKey, "[a-z0-9][a-z0-9._-]{0,63}", is_key
);
name!(
    /// The key of a segment; also the stem of its file's name.
    SegmentKey, "[a-z0-9][a-z0-9._-]{0,63}", is_key
);
name!(
    /// The name of a rule, unique within its flag.
    RuleName, "[a-z0-9][a-z0-9._-]{0,63}", is_key
);
name!(
    /// What separates one flag's buckets from another's (law 3). It has no colon, so the first
    /// colon of the hashed bytes ends it.
    Salt, "[a-z0-9._-]{1,64}", |text| (1..=64).contains(&text.len()) && text.bytes().all(is_key_byte)
);
name!(
    /// The name of a context attribute that a flag declares.
    AttributeName, "[A-Za-z_][A-Za-z0-9_.-]{0,63}", is_attribute_name
);

impl From<&FlagKey> for Salt {
    /// A flag's key is always a valid salt: the default one.
    fn from(key: &FlagKey) -> Salt {
        Salt(key.0.clone())
    }
}

fn is_key_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

fn is_key(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(is_key_byte)
}

fn is_attribute_name(text: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=64).contains(&text.len()) && first(text.as_bytes()[0]) && text.bytes().all(rest)
}

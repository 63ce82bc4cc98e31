//! Texts that are kept once, by their hash: definitions and long lists.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The texts that records speak of.
pub type Texts = BTreeMap<ContentId, Bytes>;

/// The SHA-256 of a text; in hex wherever it is written.
///
/// ```
/// use turnout::truth::ContentId;
/// let id = ContentId::of(b"test");
/// assert_eq!(id.to_string().parse::<ContentId>().unwrap(), id);
/// assert!(id.to_string().starts_with("9f86d081"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId([u8; 32]);

/// A text that is no SHA-256 in hex.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no SHA-256 in 64 lower-case hex digits")]
pub struct NotAContentId;

impl ContentId {
    pub fn of(text: &[u8]) -> ContentId {
        ContentId(Sha256::digest(text).into())
    }

    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl From<[u8; 32]> for ContentId {
    fn from(digest: [u8; 32]) -> ContentId {
        ContentId(digest)
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for ContentId {
    type Err = NotAContentId;

    fn from_str(text: &str) -> Result<ContentId, NotAContentId> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(NotAContentId),
        };
        let mut id = [0; 32];
        let pairs = text.as_bytes().chunks_exact(2);
        if text.len() != 64 {
            return Err(NotAContentId);
        }
        for (byte, pair) in id.iter_mut().zip(pairs) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(ContentId(id))
    }
}

impl Serialize for ContentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ContentId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

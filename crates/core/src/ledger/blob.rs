//! Blobs, stored once under their hash: definitions and long lists.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The blobs that records refer to.
pub type Blobs = BTreeMap<ContentHash, Bytes>;

/// The SHA-256 of a blob; written in hex.
///
/// ```
/// use turnout_core::ledger::ContentHash;
/// let id = ContentHash::of(b"test");
/// assert_eq!(id.to_string().parse::<ContentHash>().unwrap(), id);
/// assert!(id.to_string().starts_with("9f86d081"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

/// The text is not a SHA-256 in hex.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no SHA-256 in 64 lower-case hex digits")]
pub struct InvalidContentHash;

impl ContentHash {
    pub fn of(text: &[u8]) -> ContentHash {
        ContentHash(Sha256::digest(text).into())
    }

    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl From<[u8; 32]> for ContentHash {
    fn from(digest: [u8; 32]) -> ContentHash {
        ContentHash(digest)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for ContentHash {
    type Err = InvalidContentHash;

    fn from_str(text: &str) -> Result<ContentHash, InvalidContentHash> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(InvalidContentHash),
        };
        let mut id = [0; 32];
        let pairs = text.as_bytes().chunks_exact(2);
        if text.len() != 64 {
            return Err(InvalidContentHash);
        }
        for (byte, pair) in id.iter_mut().zip(pairs) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(ContentHash(id))
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ContentHash, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

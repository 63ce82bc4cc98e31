//! Who may read a stream.

use std::fmt;

use serde_json::Value as Json;

use super::limits::MAX_READERS;
use crate::flag::{MAX_UNIT_BYTES, TargetingKey};

/// The readers of a stream. `Debug` shows how many there are, and no key.
#[derive(Clone, PartialEq, Eq)]
pub enum Readers {
    /// These users; sorted, each once.
    Keys(Box<[Box<str>]>),
    /// Every verified user.
    Verified,
}

/// What is wrong with a list of readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReaders {
    #[error(
        "`readers` is a list of targeting keys of 1 to {MAX_UNIT_BYTES} bytes, or \"verified\""
    )]
    Shape,
    #[error("a stream has at most {MAX_READERS} readers; for more, `readers` is \"verified\"")]
    TooMany,
}

/// What stands for every verified user, in a body and in the database.
const VERIFIED: &str = "verified";

impl Readers {
    pub fn none() -> Readers {
        Readers::Keys(Box::default())
    }

    /// Reads the member of a body, or what [`Readers::to_json`] made.
    pub fn read(json: &Json) -> Result<Readers, BadReaders> {
        match json {
            Json::String(word) if word == VERIFIED => Ok(Readers::Verified),
            Json::Array(keys) if keys.len() > MAX_READERS => Err(BadReaders::TooMany),
            Json::Array(keys) => {
                let key = |key: &Json| match key.as_str().map(TargetingKey::parse) {
                    Some(Ok(Some(key))) => Ok(Box::from(key.as_str())),
                    _ => Err(BadReaders::Shape),
                };
                let mut keys = keys.iter().map(key).collect::<Result<Vec<Box<str>>, _>>()?;
                keys.sort_unstable();
                keys.dedup();
                Ok(Readers::Keys(keys.into()))
            }
            _ => Err(BadReaders::Shape),
        }
    }

    pub fn to_json(&self) -> Json {
        match self {
            Readers::Verified => VERIFIED.into(),
            Readers::Keys(keys) => keys.iter().map(|key| Json::from(&**key)).collect(),
        }
    }

    /// Whether a verified user may read.
    pub fn has(&self, user: &str) -> bool {
        match self {
            Readers::Verified => true,
            Readers::Keys(keys) => keys.binary_search_by(|key| (**key).cmp(user)).is_ok(),
        }
    }

    /// How many users are listed; `None` for every verified one.
    pub fn count(&self) -> Option<usize> {
        match self {
            Readers::Verified => None,
            Readers::Keys(keys) => Some(keys.len()),
        }
    }

    /// The bytes of the list.
    pub fn bytes(&self) -> usize {
        match self {
            Readers::Verified => 0,
            Readers::Keys(keys) => keys.iter().map(|key| key.len() + size_of::<Box<str>>()).sum(),
        }
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            Some(count) => write!(f, "{count} readers"),
            None => f.write_str("every verified user"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn readers_are_a_list_or_every_verified_user() {
        let many: Vec<String> = (0..=MAX_READERS).map(|n| format!("u-{n}")).collect();
        for (json, read) in [
            (json!([]), Ok(Some(0))),
            (json!(["u-1", "u-2", "u-1"]), Ok(Some(2))),
            (json!("verified"), Ok(None)),
            (json!(many[1..]), Ok(Some(MAX_READERS))),
            (json!(many), Err(BadReaders::TooMany)),
            (json!("everyone"), Err(BadReaders::Shape)),
            (json!([""]), Err(BadReaders::Shape)),
            (json!([1]), Err(BadReaders::Shape)),
            (json!([" ".repeat(257)]), Err(BadReaders::Shape)),
            (json!(null), Err(BadReaders::Shape)),
            (json!({}), Err(BadReaders::Shape)),
        ] {
            assert_eq!(Readers::read(&json).map(|readers| readers.count()), read, "{json}");
        }
    }

    #[test]
    fn no_key_shows_and_only_listed_users_read() {
        let readers = Readers::read(&json!(["u-2", "u-1"])).unwrap_or(Readers::Verified);
        assert!(readers.has("u-1") && readers.has("u-2") && !readers.has("u-3"));
        assert!(!format!("{readers:?}").contains("u-1"));
        assert_eq!(Readers::read(&readers.to_json()), Ok(readers));
        assert!(Readers::Verified.has("u-3") && !Readers::none().has("u-1"));
    }
}

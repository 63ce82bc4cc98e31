//! The text in which our own keys are kept in the data folder.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::key_set::{DatedKey, KeySet, RevokedKey};

/// The version of the text that this build writes, and the oldest build that reads it.
const FORMAT: u32 = 1;

/// The file, as it is written.
#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    min_reader: u32,
    keys: Vec<KeyRow>,
    revoked: Vec<RevokedRow>,
}

#[derive(Serialize, Deserialize)]
struct KeyRow {
    /// The private half, in PEM.
    key: String,
    signs_from_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct RevokedRow {
    id: String,
    at_ms: i64,
}

/// Why the text is no set of keys. It repeats nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyFile {
    #[error("it does not read")]
    Unreadable,
    #[error("a newer build wrote it")]
    OfNewerBuild,
}

impl KeySet {
    /// The text to keep; `None` if a key cannot be written.
    pub fn to_text(&self) -> Option<String> {
        let row = |dated: &DatedKey| {
            Some(KeyRow { key: dated.key.to_pem()?, signs_from_ms: dated.signs_from_ms })
        };
        let keys = self.keys().iter().map(row).collect::<Option<_>>()?;
        let gone = |gone: &RevokedKey| RevokedRow { id: gone.id.clone(), at_ms: gone.at_ms };
        let revoked = self.revoked().iter().map(gone).collect();
        let file = File { format: FORMAT, min_reader: FORMAT, keys, revoked };
        serde_json::to_string_pretty(&file).ok().map(|text| text + "\n")
    }

    /// Reads a kept text.
    pub fn from_text(text: &[u8]) -> Result<KeySet, BadKeyFile> {
        #[derive(Deserialize)]
        struct Version {
            min_reader: u32,
        }
        let Version { min_reader } =
            serde_json::from_slice(text).map_err(|_| BadKeyFile::Unreadable)?;
        if min_reader > FORMAT {
            return Err(BadKeyFile::OfNewerBuild);
        }
        let file: File = serde_json::from_slice(text).map_err(|_| BadKeyFile::Unreadable)?;
        let key = |row: KeyRow| {
            let listed = KeySet::listed(&row.key).map_err(|_| BadKeyFile::Unreadable)?;
            match listed.keys() {
                [one] => {
                    Ok(DatedKey { key: Arc::clone(&one.key), signs_from_ms: row.signs_from_ms })
                }
                _ => Err(BadKeyFile::Unreadable),
            }
        };
        let keys = file.keys.into_iter().map(key).collect::<Result<_, _>>()?;
        let gone = |row: RevokedRow| RevokedKey { id: row.id, at_ms: row.at_ms };
        Ok(KeySet::new(keys, file.revoked.into_iter().map(gone).collect()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::auth::issuer::key::IssuerKey;

    #[test]
    fn what_is_kept_is_read_again() {
        let key = || IssuerKey::generate().unwrap();
        let set = KeySet::default().rotated(key(), 5).unwrap().rotated(key(), 7).unwrap();
        let gone = set.keys()[0].key.id().to_owned();
        let set = set.revoking(&gone, 9);
        let text = set.to_text().unwrap();
        let again = KeySet::from_text(text.as_bytes()).unwrap();
        assert_eq!(again.to_text().unwrap(), text);
        assert_eq!(again.keys()[0].key.id(), set.keys()[0].key.id());
        for (bad, why) in [
            ("", BadKeyFile::Unreadable),
            ("{}", BadKeyFile::Unreadable),
            (&text[..text.len() / 2], BadKeyFile::Unreadable),
            (&text.replace("PRIVATE", "PUBLIC"), BadKeyFile::Unreadable),
            (&text.replace("\"min_reader\": 1", "\"min_reader\": 2"), BadKeyFile::OfNewerBuild),
        ] {
            assert_eq!(KeySet::from_text(bad.as_bytes()).err(), Some(why));
        }
    }
}

//! Which texts a stored record names, whatever subject it is of and whichever build wrote it.

use serde_json::Value as Json;

use super::blob::ContentHash;

/// The members of records that name a text (`record`). Another member may hold a SHA-256 too, and
/// is a hash of something else.
const NAMES: [&str; 4] = ["definition", "file", "content", "internalUserIds"];

/// The texts named in a record as it is stored; none where it does not read.
///
/// ```
/// use turnout::ledger::{ContentHash, texts_named_in};
/// let id = ContentHash::of(b"text");
/// let record = format!(r#"{{"definition":null,"pin":{{"definition":"{id}"}},"hash":"{}"}}"#, ContentHash::of(b"secret"));
/// assert_eq!(texts_named_in(&record), [id]);
/// ```
pub fn texts_named_in(record: &str) -> Vec<ContentHash> {
    let mut found = Vec::new();
    if let Ok(record) = serde_json::from_str(record) {
        collect(&record, &mut found);
    }
    found
}

fn collect(json: &Json, found: &mut Vec<ContentHash>) {
    let Json::Object(members) = json else { return };
    for (name, value) in members {
        match value {
            Json::String(text) if NAMES.contains(&name.as_str()) => {
                found.extend(text.parse::<ContentHash>())
            }
            value => collect(value, found),
        }
    }
}

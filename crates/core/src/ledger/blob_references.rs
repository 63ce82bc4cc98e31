//! Which blobs a stored record names, whatever its kind and whichever build wrote it.

use serde_json::Value as Json;

use super::blob::ContentHash;

/// The members of a record that name a blob (see `record`). Another member may contain a SHA-256
/// too, which is the hash of something else.
const NAMES: [&str; 4] = ["definition", "file", "content", "internalUserIds"];

/// The blobs named in a stored record; none if the record cannot be read.
///
/// ```
/// use turnout_core::ledger::{ContentHash, blobs_named_in};
/// let id = ContentHash::of(b"text");
/// let record = format!(r#"{{"definition":null,"pin":{{"definition":"{id}"}},"hash":"{}"}}"#, ContentHash::of(b"secret"));
/// assert_eq!(blobs_named_in(&record), [id]);
/// ```
pub fn blobs_named_in(record: &str) -> Vec<ContentHash> {
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
                found.extend(text.parse::<ContentHash>());
            }
            value => collect(value, found),
        }
    }
}

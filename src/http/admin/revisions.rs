//! Revisions as they stand in a response.

use serde_json::Value as Json;

use crate::ledger::{ContentCache, revision_json};
use crate::store::StoredRevision;

/// Revisions as they stand in a response; also those that made a command stale.
pub fn revisions(found: &[StoredRevision]) -> Json {
    let mut content = ContentCache::default();
    found.iter().map(|stored| revision(stored, &mut content)).collect()
}

pub fn revision(stored: &StoredRevision, content: &mut ContentCache) -> Json {
    let mut shown = revision_json(&stored.revision, stored.hash, content);
    if stored.more_changes > 0 {
        shown["moreChanges"] = stored.more_changes.into();
    }
    shown
}

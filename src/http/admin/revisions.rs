//! Revisions as they stand in a response.

use turnout_api::admin::history::Revision;

use crate::ledger::{ContentCache, revision_message};
use crate::store::StoredRevision;

/// Revisions as they stand in a response; also those that made a command stale.
pub fn revisions(found: &[StoredRevision]) -> Vec<Revision> {
    let mut content = ContentCache::default();
    found.iter().map(|stored| revision(stored, &mut content)).collect()
}

pub fn revision(stored: &StoredRevision, content: &mut ContentCache) -> Revision {
    let more_changes = Some(stored.more_changes).filter(|more| *more > 0);
    Revision { more_changes, ..revision_message(&stored.revision, stored.hash, content) }
}

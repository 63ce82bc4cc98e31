//! Refuses a command whose caller saw an older state of its flag, and lists what changed since.

use tokio::time::timeout;

use super::committer::READ_TIMEOUT;
use super::{CommandRejected, CommandRequest, Inner};
use crate::flag::FlagKey;
use crate::store::{HistoryQuery, Store, StoreError, StoredRevision};

/// The most revisions that are listed for a caller that saw an older one.
const MAX_REVISIONS_LISTED: u32 = 20;

impl Inner {
    /// Refuses only if this flag, or a segment it names, changed since the revision the caller saw.
    pub(super) async fn check_expected(
        &self,
        store: &Store,
        request: &CommandRequest,
        expected: Option<u64>,
    ) -> Result<(), CommandRejected> {
        let (Some(expected), Some(flag)) = (expected, request.command.flag()) else {
            return Ok(());
        };
        let changed_at = self.state().changed_at(flag.as_str());
        if changed_at <= expected {
            return Ok(());
        }
        let since = timeout(READ_TIMEOUT, self.since(store, flag, expected))
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        Err(CommandRejected::Moved { flag: flag.clone(), changed_at, since })
    }

    /// The changes of a flag after a revision, and the last change of each segment it names; newest
    /// first.
    async fn since(
        &self,
        store: &Store,
        flag: &FlagKey,
        expected: u64,
    ) -> Result<Vec<StoredRevision>, StoreError> {
        let of_segments = self.state().segments_changed_after(flag.as_str(), expected);
        let page = HistoryQuery {
            flag: Some(flag.to_string()),
            after: Some(expected),
            limit: MAX_REVISIONS_LISTED,
            ..HistoryQuery::default()
        };
        let mut since = store.history(&page).await?;
        for revision in of_segments.into_iter().take(MAX_REVISIONS_LISTED as usize) {
            let page = HistoryQuery {
                after: Some(revision - 1),
                before: Some(revision + 1),
                limit: 1,
                ..HistoryQuery::default()
            };
            since.extend(store.history(&page).await?);
        }
        since.sort_by_key(|stored| std::cmp::Reverse(stored.revision.revision));
        since.dedup_by_key(|stored| stored.revision.revision);
        since.truncate(MAX_REVISIONS_LISTED as usize);
        Ok(since)
    }
}

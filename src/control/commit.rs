//! Commits, one revision at a time.
//!
//! The task that holds the [`Committer`] commits. A commit counts only when the database confirmed
//! it, or when the database's head shows it afterwards: an error does not mean that nothing was
//! saved. Other programs may write to the same database. A commit that lost the race against one of
//! them returns [`CommitError::Conflict`], and what the other program wrote has been caught up with
//! by then.

use std::sync::atomic::Ordering;

use tokio::time::timeout;

use super::catch_up::CaughtUp;
use super::committer::{CommitError, Committer, LATE, Proposal, READ_TIMEOUT};
use super::unsettled::flags_of;
use super::{Database, Inner, staging};
use crate::flag::FlagKey;
use crate::ledger::{ChangeSource, ContentCache, Head, Revision};
use crate::store::{Commit, Store, StoreError};

impl Inner {
    /// Commits a proposal, makes it live and returns its revision number.
    pub(super) async fn commit(
        &self,
        committer: &mut Committer,
        proposal: Proposal,
        of_entry: Option<&str>,
    ) -> Result<u64, CommitError> {
        // A pending entry only narrows, whenever it lands.
        let under_way =
            of_entry.is_none().then(|| self.unsettled.begin(flags_of(&proposal.changes).cloned()));
        let done = self.try_to_commit(committer, proposal, of_entry).await;
        match (&done, under_way) {
            (Ok(_) | Err(CommitError::Conflict), _) => self.unsettled.settle(),
            (Err(CommitError::Unknown), Some(commit)) => self.unsettled.lose(&commit),
            _ => {}
        }
        self.report_saving(None);
        self.note_commit(&done);
        done
    }

    async fn try_to_commit(
        &self,
        committer: &mut Committer,
        proposal: Proposal,
        of_entry: Option<&str>,
    ) -> Result<u64, CommitError> {
        let store = self.store.require()?;
        let (head, is_recorded) = {
            let state = self.state();
            (state.catalog.head, state.is_recorded())
        };
        let is_over_recorded = of_entry.is_some() || proposal.origin == ChangeSource::File;
        if !is_recorded && !is_over_recorded && !proposal.changes.is_empty() {
            // It was decided over files that the database does not have.
            return Err(CommitError::Down("the files are being saved to it first".to_owned()));
        }
        let Proposal { actor, origin, reason, effective_at_ms, key, changes, content } = proposal;
        let now_ms = self.clock.wall_ms();
        // The commit time never falls, also when the clock is set back; `effective_at_ms` has the
        // true time.
        let committed_at_ms = now_ms.max(head.committed_at_ms);
        let (idempotency_key, request) = key.unzip();
        let effective_at_ms = effective_at_ms.unwrap_or(now_ms).min(committed_at_ms);
        let revision = Revision {
            revision: head.revision + 1,
            committed_at_ms,
            effective_at_ms,
            actor,
            origin,
            reason,
            idempotency_key,
            changes,
        };
        let after = revision.head(&head, request);
        let commit =
            Commit { revision: &revision, expected_head: &head, blobs: &content.blobs, request };
        let report = |progress| self.report_saving(Some(progress));
        let staged = staging::stage(&store, &content.blobs, report).await;
        let error = match staged {
            Ok(()) => match timeout(staging::limit_of(&commit), store.commit(commit)).await {
                Ok(Ok(())) => {
                    self.apply_revision(after, &revision, &content, of_entry);
                    return Ok(after.revision);
                }
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            },
            Err(error) => error,
        };
        match error {
            // Noticed before anything was written.
            Some(error @ StoreError::Gone) => {
                let why = error.to_string();
                self.lose(committer, &why);
                Err(CommitError::Down(why))
            }
            Some(StoreError::Moved) => {
                self.catch_up(committer, &store).await?;
                Err(CommitError::Conflict)
            }
            error => self.settle_commit(committer, &store, (head, after), error, of_entry).await,
        }
    }

    /// Finds out from the database's head what became of a commit that was not confirmed.
    async fn settle_commit(
        &self,
        committer: &mut Committer,
        store: &Store,
        (before, after): (Head, Head),
        error: Option<StoreError>,
        of_entry: Option<&str>,
    ) -> Result<u64, CommitError> {
        let known = match timeout(READ_TIMEOUT, store.head()).await {
            Ok(Ok((_, known))) => Some(known),
            Ok(Err(_)) | Err(_) => None,
        };
        let may_return = known == Some(before)
            && error.as_ref().is_some_and(StoreError::may_be_written)
            && !is_replaced(store).await;
        match (known, error) {
            // The database is as it was, and can be read.
            (Some(known), Some(_)) if known == before && may_return => Err(CommitError::Unknown),
            (Some(known), Some(error)) if known == before => Err(if error.is_full() {
                CommitError::NoSpace
            } else {
                CommitError::Down(error.chain())
            }),
            (Some(known), _) if known.revision >= after.revision => {
                // The revision is in the database, even if it cannot be read here.
                let caught_up =
                    self.catch_up(committer, store).await.map_err(|_| CommitError::Unknown)?;
                if !caught_up.heads.contains(&after) {
                    return Err(CommitError::Conflict);
                }
                if let Some(id) = of_entry {
                    self.mark_entry_committed(id, &caught_up);
                }
                Ok(after.revision)
            }
            // The commit may still succeed, so the database's content is read anew.
            (_, error) => {
                let why = error.map_or_else(|| LATE.to_owned(), |error| error.chain());
                self.lose(committer, &why);
                Err(CommitError::Unknown)
            }
        }
    }

    /// Marks a pending entry as committed, unless catching up has already done so.
    pub(super) fn mark_entry_committed(&self, id: &str, caught_up: &CaughtUp) {
        if caught_up.entries.iter().all(|known| known != id) {
            let mut state = self.state();
            state.mark_committed(id);
            self.go_live(&state);
        }
    }

    /// Applies a committed revision to the catalog, and makes it live.
    pub(super) fn apply_revision(
        &self,
        head: Head,
        revision: &Revision,
        content: &ContentCache,
        of_entry: Option<&str>,
    ) {
        {
            let mut state = self.state();
            // An entry was noted when it became pending, if it did before it was committed.
            if of_entry.is_none_or(|id| state.pending().named(id).is_none()) {
                self.unsettled.note_changed(flags_of(&revision.changes));
            }
            // The entry first; no reader sees the state between the two.
            if let Some(id) = of_entry {
                state.mark_committed(id);
            }
            state.catalog.apply(head, &revision.changes, content);
            let has_no_file = |flag: &FlagKey| {
                let entry = state.catalog.flag(flag.as_str());
                entry.is_some_and(|entry| entry.record.definition.is_none())
            };
            if flags_of(&revision.changes).any(has_no_file) {
                // What is held over it is a problem, and without anything held it goes.
                self.compare_files.store(true, Ordering::Relaxed);
                self.wake.notify_one();
            }
            self.go_live(&state);
        }
        self.heal_rows(&revision.changes);
        self.store.staleness.note(true);
        self.served.revisions.send_replace(head.revision);
        self.changed.notify_one();
    }

    /// Marks the database as out of reach, until maintenance opens it again.
    pub(super) fn lose(&self, committer: &mut Committer, why: &str) {
        if let Some(lost) = self.store.take() {
            committer.lost = Some(lost);
        }
        // Callers that wait for a commit learn that there is none yet.
        self.fast_path.dismiss_waiters();
        self.set_database(Database::Down { why: why.to_owned(), since_ms: self.clock.wall_ms() });
    }
}

/// Whether a write that failed is replaced in the log of the database, so that a start after a crash
/// does not find it there. The next write takes its place.
async fn is_replaced(store: &Store) -> bool {
    matches!(timeout(READ_TIMEOUT, store.try_writing()).await, Ok(Ok(())))
}

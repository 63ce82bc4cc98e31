//! Commits, one revision at a time.
//!
//! The holder of the [`Committer`] commits. A commit is believed only when the database confirmed
//! it, or when its head shows it afterwards: an error does not mean that nothing was saved. Other
//! programs may write to the same database: a commit that lost the race against one of them is a
//! [`CommitError::Conflict`], and what that one wrote has been caught up with.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::catch_up::CaughtUp;
use super::{Database, Inner, staging};
use crate::ledger::{
    Actor, Change, ChangeSource, ContentCache, ContentHash, Credential, Head, Revision,
};
use crate::store::{Commit, Store, StoreError};

/// How long a reading may take.
pub(super) const READ: Duration = Duration::from_millis(700);
/// How often a change is decided again after another writer was faster.
pub(super) const TRIES: usize = 16;

/// What only the one that commits needs.
#[derive(Debug, Default)]
pub(super) struct Committer {
    /// The database that was lost last: it must be released before its files are opened again.
    pub lost: Option<Arc<Store>>,
    /// Credentials that the database has in the form of older builds and not yet in a revision;
    /// `None` where that is done.
    pub old_tokens: Option<Vec<Credential>>,
}

/// A revision to be, before it has a number.
#[derive(Debug)]
pub(super) struct Proposal {
    pub actor: Actor,
    pub origin: ChangeSource,
    pub reason: Option<String>,
    pub effective_at_ms: Option<i64>,
    pub key: Option<(String, ContentHash)>,
    pub changes: Vec<Change>,
    pub forms: ContentCache,
}

/// Why a proposal did not become a revision.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error("the database is out of reach: {0}")]
    Down(String),
    #[error("the disk is full")]
    NoSpace,
    #[error("the database did not say in time")]
    Unknown,
    /// Decide again: what the other one wrote is live.
    #[error("another program wrote to the database at the same moment")]
    Conflict,
}

impl Inner {
    /// Commits a proposal, makes it live and returns its number.
    pub(super) async fn commit(
        &self,
        committer: &mut Committer,
        proposal: Proposal,
        of_entry: Option<&str>,
    ) -> Result<u64, CommitError> {
        let done = self.try_to_commit(committer, proposal, of_entry).await;
        self.note_commit(&done);
        done
    }

    async fn try_to_commit(
        &self,
        committer: &mut Committer,
        proposal: Proposal,
        of_entry: Option<&str>,
    ) -> Result<u64, CommitError> {
        let store = self.store.open()?;
        let head = self.state().book.head;
        let Proposal { actor, origin, reason, effective_at_ms, key, changes, forms } = proposal;
        let now_ms = self.clock.wall_ms();
        // It never falls, also where the clock is set back. The true time stands in the other one.
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
        let commit = Commit { revision: &revision, after: &head, texts: &forms.texts, request };
        let error = match staging::stage(&store, &forms.texts).await {
            Ok(()) => match timeout(staging::limit_of(&commit), store.commit(commit)).await {
                Ok(Ok(())) => {
                    self.publish_revision(after, &revision, &forms, of_entry);
                    return Ok(after.revision);
                }
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            },
            Err(error) => error,
        };
        match error {
            // Seen before anything was written.
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

    /// What became of a commit that was not confirmed: the database's head says it.
    async fn settle_commit(
        &self,
        committer: &mut Committer,
        store: &Store,
        (before, after): (Head, Head),
        error: Option<StoreError>,
        of_entry: Option<&str>,
    ) -> Result<u64, CommitError> {
        let known = match timeout(READ, store.head()).await {
            Ok(Ok((_, known))) => Some(known),
            Ok(Err(_)) | Err(_) => None,
        };
        match (known, error) {
            (Some(known), Some(error)) if known == before => Err(match error.is_full() {
                true => CommitError::NoSpace,
                false => CommitError::Down(error.chain()),
            }),
            (Some(known), _) if known.revision >= after.revision => {
                // It is there, whatever reading it comes to.
                let caught_up =
                    self.catch_up(committer, store).await.map_err(|_| CommitError::Unknown)?;
                if !caught_up.heads.contains(&after) {
                    return Err(CommitError::Conflict);
                }
                if let Some(id) = of_entry {
                    self.forget_entry(id, &caught_up);
                }
                Ok(after.revision)
            }
            // It may still be committed: what is there is read anew.
            (_, error) => {
                let why = error
                    .map_or_else(|| "it does not answer in time".to_owned(), |error| error.chain());
                self.lose(committer, &why);
                Err(CommitError::Unknown)
            }
        }
    }

    /// Forgets an entry that is committed, unless catching up has done so.
    pub(super) fn forget_entry(&self, id: &str, caught_up: &CaughtUp) {
        if caught_up.entries.iter().all(|known| known != id) {
            let mut state = self.state();
            state.forget(id);
            self.refresh(&state);
        }
    }

    /// Makes a committed revision live.
    pub(super) fn publish_revision(
        &self,
        head: Head,
        revision: &Revision,
        forms: &ContentCache,
        of_entry: Option<&str>,
    ) {
        {
            let mut state = self.state();
            // Forgotten first: between the two nothing is read.
            if let Some(id) = of_entry {
                state.forget(id);
            }
            state.book.apply(head, &revision.changes, forms);
            self.refresh(&state);
        }
        self.heal_rows(&revision.changes);
        self.store.staleness.note(true);
        self.publisher.revisions.send_replace(head.revision);
        self.changed.notify_one();
    }

    /// The database is out of reach from here on, until maintenance has it again.
    pub(super) fn lose(&self, committer: &mut Committer, why: &str) {
        if let Some(lost) = self.store.take() {
            committer.lost = Some(lost);
        }
        // Who waits for a commit hears that there is none yet.
        self.fast_path.dismiss_waiters();
        self.set_database(Database::Down { why: why.to_owned(), since_ms: self.clock.wall_ms() });
    }
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> CommitError {
        CommitError::Down(error.chain())
    }
}

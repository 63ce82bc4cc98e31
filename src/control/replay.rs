//! Commits pending entries: each once, under its name, however often it is tried.

use tokio::time::timeout;

use super::Inner;
use super::catch_up::CaughtUp;
use super::committer::{CommitError, Committer, LATE, MAX_TRIES, Proposal, READ_TIMEOUT};
use crate::ledger::{ChangeSource, ContentCache, ContentHash, PendingEntry, Superseded};
use crate::store::{KnownKey, Store};

impl Inner {
    /// Commits all pending entries, oldest first.
    pub(super) async fn replay(&self, committer: &mut Committer) -> Result<(), CommitError> {
        loop {
            if self.state().pending().is_empty() {
                break;
            }
            self.store.require()?;
            let Some(pending) = self.state().claim_first() else { break };
            self.commit_entry(committer, pending).await?;
        }
        Ok(())
    }

    /// Decides once nothing is pending; `decide` returns `None` while something is. A revision
    /// states what the one before it left, and nothing that is only pending.
    pub(super) async fn decide_settled<T>(
        &self,
        committer: &mut Committer,
        decide: impl Fn() -> Option<T>,
    ) -> Result<T, CommitError> {
        loop {
            self.replay(committer).await?;
            if let Some(decided) = decide() {
                return Ok(decided);
            }
        }
    }

    /// Commits a pending entry once under its name, however often it is tried, and notifies its
    /// waiter.
    pub(super) async fn commit_entry(
        &self,
        committer: &mut Committer,
        pending: PendingEntry,
    ) -> Result<(), CommitError> {
        let store = self.store.require()?;
        let mut superseded = Vec::new();
        for older in &pending.superseded {
            superseded
                .extend(self.commit_superseded(committer, &store, older, pending.origin).await?);
        }
        let mut is_known_unsent = self.fast_path.take_never_sent(&pending.id);
        let request = pending.stands_for();
        for _ in 0..MAX_TRIES {
            let known = if std::mem::take(&mut is_known_unsent) {
                None
            } else {
                self.look_up_entry(committer, &store, &pending.id).await?
            };
            let (name, known) = match known {
                // Another request took the name between the look-up of this one and its entry, or
                // the same one was made long before and taken back since. The acknowledged change
                // is not lost.
                Some(other) if !other.is_entry(&pending) => {
                    let name = pending.second_name();
                    let known = self.look_up_entry(committer, &store, &name).await?;
                    // The name contains the entry's moment too, so nothing else was committed under
                    // it.
                    (name, known.map(|known| known.revision))
                }
                known => (pending.id.clone(), known.map(|known| known.revision)),
            };
            let committed = match known {
                // Committed before a crash, or by another program, whose revision may not be in the
                // catalog yet.
                Some(revision) => {
                    let is_new = self.state().catalog.head.revision < revision;
                    let caught_up = if is_new {
                        self.catch_up(committer, &store).await?
                    } else {
                        CaughtUp::default()
                    };
                    self.mark_entry_committed(&pending.id, &caught_up);
                    Ok(revision)
                }
                None => {
                    let proposal = self.proposal_of(&pending, Some((name, request)));
                    self.commit(committer, proposal, Some(&pending.id)).await
                }
            };
            match committed {
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error),
                Ok(revision) => {
                    // This commit alone saves what the superseded entries asked for; the revision
                    // that bears each of their names is their own.
                    for (id, revision) in superseded {
                        self.fast_path.answer_waiter(id, revision);
                    }
                    self.fast_path.note_committed(&pending, revision);
                    return Ok(());
                }
            }
        }
        Err(CommitError::Conflict)
    }

    /// Commits the name of a superseded entry before the entry that replaced it: a request that is
    /// sent again under this key is then recognised. Returns which revision bears the name.
    async fn commit_superseded<'a>(
        &self,
        committer: &mut Committer,
        store: &Store,
        superseded: &'a Superseded,
        origin: ChangeSource,
    ) -> Result<Option<(&'a str, u64)>, CommitError> {
        let Some(request) = superseded.request else { return Ok(None) };
        for _ in 0..MAX_TRIES {
            if let Some(known) = self.look_up_entry(committer, store, &superseded.id).await? {
                // A name that stands for another request says nothing about this one.
                return Ok(known.is_of(request).then_some((&superseded.id, known.revision)));
            }
            let proposal = Proposal {
                actor: superseded.actor.clone(),
                origin,
                reason: Some("a later change took its place before it was saved".to_owned()),
                effective_at_ms: Some(superseded.at_ms),
                key: Some((superseded.id.clone(), request)),
                changes: Vec::new(),
                content: ContentCache::default(),
            };
            match self.commit(committer, proposal, None).await {
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error),
                Ok(revision) => return Ok(Some((&superseded.id, revision))),
            }
        }
        Err(CommitError::Conflict)
    }

    fn proposal_of(&self, pending: &PendingEntry, key: Option<(String, ContentHash)>) -> Proposal {
        let state = self.state();
        let (mut changes, content) = pending.changes(|key| state.catalog.flag(key.as_str()));
        changes.extend(pending.revocations(&state.catalog));
        Proposal {
            actor: pending.actor.clone(),
            origin: pending.origin,
            reason: pending.reason.clone(),
            effective_at_ms: Some(pending.at_ms),
            key,
            changes,
            content,
        }
    }

    /// Looks up what the name of a pending entry stands for in the database.
    async fn look_up_entry(
        &self,
        committer: &mut Committer,
        store: &Store,
        id: &str,
    ) -> Result<Option<KnownKey>, CommitError> {
        match timeout(READ_TIMEOUT, store.by_idempotency_key(id)).await {
            Ok(Ok(known)) => Ok(known),
            Ok(Err(error)) => {
                self.lose(committer, &error.chain());
                Err(CommitError::Down(error.chain()))
            }
            Err(_) => {
                self.lose(committer, LATE);
                Err(CommitError::Unknown)
            }
        }
    }
}

//! What is committed, one revision at a time.
//!
//! Whoever holds the lane commits. A commit is only believed when the database said so, or when its head says so afterwards: an error
//! does not mean that nothing was saved.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::{Database, Inner, Lane, News, Trouble, TroubleKind, lock, staging};
use crate::store::{Commit, Store, StoreError};
use crate::token::random_name;
use crate::truth::{Actor, Change, ContentId, Forms, Origin, Pending, Revision, Superseded};

/// How long a reading may take.
pub(super) const READ: Duration = Duration::from_millis(700);

/// A revision to be, before it has a number.
#[derive(Debug)]
pub(super) struct Draft {
    pub actor: Actor,
    pub origin: Origin,
    pub reason: Option<String>,
    pub effective_at_ms: Option<i64>,
    pub key: Option<(String, ContentId)>,
    pub changes: Vec<Change>,
    pub forms: Forms,
}

/// Why a draft is no revision.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCommitted {
    #[error("the database is out of reach: {0}")]
    Down(String),
    #[error("the disk is full")]
    NoSpace,
    #[error("the database did not say in time")]
    Unknown,
}

impl Inner {
    /// The database, if the lane has it.
    pub(super) fn store_of(&self, lane: &Lane) -> Result<Arc<Store>, NotCommitted> {
        lane.store.clone().ok_or_else(|| match &lock(&self.standing).database {
            Database::Down { why, .. } | Database::Held { why, .. } => NotCommitted::Down(why.clone()),
            Database::Up => NotCommitted::Down("it is being opened".to_owned()),
        })
    }

    /// Commits a draft, makes it live and says its number.
    pub(super) async fn commit(&self, lane: &mut Lane, draft: Draft, replays: Option<&str>) -> Result<u64, NotCommitted> {
        let done = self.try_to_commit(lane, draft, replays).await;
        self.note_commit(lane, &done);
        done
    }

    async fn try_to_commit(&self, lane: &mut Lane, draft: Draft, replays: Option<&str>) -> Result<u64, NotCommitted> {
        let store = self.store_of(lane)?;
        let Draft { actor, origin, reason, effective_at_ms, key, changes, forms } = draft;
        let head = self.truth().book.head;
        let now_ms = self.clock.wall_ms();
        // It never falls, also where the clock is set back. The true time stands in the other one.
        let committed_at_ms = now_ms.max(head.committed_at_ms);
        let (idempotency_key, request) = key.unzip();
        let effective_at_ms = effective_at_ms.unwrap_or(now_ms).min(committed_at_ms);
        let number = head.revision + 1;
        let revision =
            Revision { revision: number, committed_at_ms, effective_at_ms, actor, origin, reason, idempotency_key, changes };
        let after = revision.head(&head, request);
        let commit = Commit { revision: &revision, after: &head, texts: &forms.texts, request };
        let failed = match staging::stage(&store, &forms.texts).await {
            Ok(()) => match timeout(staging::limit_of(&commit), store.commit(commit)).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(Some(error)),
                Err(_) => Some(None),
            },
            Err(error) => Some(error),
        };
        if let Some(Some(StoreError::Gone)) = failed {
            // Seen before anything was written.
            let why = StoreError::Gone.to_string();
            self.lose(lane, &why);
            return Err(NotCommitted::Down(why));
        }
        if let Some(error) = failed {
            match timeout(READ, store.head()).await {
                Ok(Ok((_, known))) if known == after => {}
                Ok(Ok((_, known))) if known == head && error.is_some() => {
                    return Err(match error {
                        Some(error) if error.is_full() => NotCommitted::NoSpace,
                        Some(error) => NotCommitted::Down(error.chain()),
                        None => NotCommitted::Unknown,
                    });
                }
                // It may still be committed, or it is another database's head: what is there is read anew.
                _ => {
                    let why = error.map_or_else(|| "it does not answer in time".to_owned(), |error| error.chain());
                    self.lose(lane, &why);
                    return Err(NotCommitted::Unknown);
                }
            }
        }
        {
            let mut truth = self.truth();
            // Forgotten first: between the two nobody looks.
            if let Some(id) = replays {
                truth.forget(id);
            }
            truth.book.apply(after, &revision.changes, &forms);
            self.refresh(&truth);
        }
        self.heal_rows(&revision.changes);
        self.contact.note(true);
        self.revisions.send_replace(number);
        self.changed.notify_one();
        Ok(number)
    }

    /// Commits what is pending, the oldest first.
    pub(super) async fn replay(&self, lane: &mut Lane) -> Result<(), NotCommitted> {
        loop {
            if self.truth().pending().is_empty() {
                break;
            }
            self.store_of(lane)?;
            let Some(pending) = self.truth().claim_first() else { break };
            self.commit_entry(lane, pending).await?;
        }
        Ok(())
    }

    /// What is decided once nothing is pending; `decide` says `None` where something is. A revision says what the one before it left, and
    /// nothing that is only pending.
    pub(super) async fn decide_settled<T>(&self, lane: &mut Lane, decide: impl Fn() -> Option<T>) -> Result<T, NotCommitted> {
        loop {
            self.replay(lane).await?;
            if let Some(decided) = decide() {
                return Ok(decided);
            }
        }
    }

    /// Commits an entry under its name, once however often it is tried, and tells whoever waits for it.
    pub(super) async fn commit_entry(&self, lane: &mut Lane, pending: Pending) -> Result<(), NotCommitted> {
        let store = self.store_of(lane)?;
        for superseded in &pending.superseded {
            self.commit_superseded(lane, &store, superseded, pending.origin).await?;
        }
        let untried = lock(&self.untried).remove(&pending.id);
        let known = match untried {
            true => None,
            false => self.look_up_entry(lane, &store, &pending.id).await?,
        };
        let request = pending.request.unwrap_or_else(|| ContentId::of(pending.id.as_bytes()));
        let (name, known) = match known {
            // Another request took the name between the look-up of this one and its entry. What was acknowledged is not lost.
            Some((other, _)) if other != request.to_string() => (random_name().unwrap_or_default(), None),
            known => (pending.id.clone(), known.map(|(_, revision)| revision)),
        };
        let revision = match known {
            // Committed before a crash: it is in the book already.
            Some(revision) => {
                let mut truth = self.truth();
                truth.forget(&pending.id);
                self.refresh(&truth);
                revision
            }
            None => {
                let (changes, forms) = {
                    let truth = self.truth();
                    let (mut changes, forms) = pending.changes(|key| truth.book.flag(key.as_str()));
                    changes.extend(pending.revocations(&truth.book));
                    (changes, forms)
                };
                let draft = Draft {
                    actor: pending.actor,
                    origin: pending.origin,
                    reason: pending.reason,
                    effective_at_ms: Some(pending.at_ms),
                    key: Some((name, request)),
                    changes,
                    forms,
                };
                self.commit(lane, draft, Some(&pending.id)).await?
            }
        };
        self.replayed.fetch_max(revision, Ordering::Relaxed);
        lock(&self.committed_entries).insert(pending.id.clone());
        let superseded = pending.superseded.iter().map(|superseded| &superseded.id);
        superseded.chain([&pending.id]).for_each(|id| self.answer_waiting(id, revision));
        Ok(())
    }

    fn answer_waiting(&self, id: &str, revision: u64) {
        if let Some(waiting) = lock(&self.waiting).remove(id) {
            let _ = waiting.send(revision);
        }
    }

    /// Commits the name of a request whose entry another one took the place of, before that one: asked for again under its key, it is known.
    async fn commit_superseded(
        &self,
        lane: &mut Lane,
        store: &Store,
        superseded: &Superseded,
        origin: Origin,
    ) -> Result<(), NotCommitted> {
        let Some(request) = superseded.request else { return Ok(()) };
        if let Some((_, revision)) = self.look_up_entry(lane, store, &superseded.id).await? {
            self.answer_waiting(&superseded.id, revision);
            return Ok(());
        }
        let draft = Draft {
            actor: superseded.actor.clone(),
            origin,
            reason: Some("a later change took its place before it was saved".to_owned()),
            effective_at_ms: Some(superseded.at_ms),
            key: Some((superseded.id.clone(), request)),
            changes: Vec::new(),
            forms: Forms::default(),
        };
        let revision = self.commit(lane, draft, None).await?;
        // The revision that bears its name is its own.
        self.answer_waiting(&superseded.id, revision);
        Ok(())
    }

    /// What the name of a pending entry stands for in the database.
    async fn look_up_entry(&self, lane: &mut Lane, store: &Store, id: &str) -> Result<Option<(String, u64)>, NotCommitted> {
        match timeout(READ, store.by_idempotency_key(id)).await {
            Ok(Ok(known)) => Ok(known),
            Ok(Err(error)) => {
                self.lose(lane, &error.chain());
                Err(NotCommitted::Down(error.chain()))
            }
            Err(_) => {
                self.lose(lane, "it does not answer in time");
                Err(NotCommitted::Unknown)
            }
        }
    }

    /// The database is out of reach from here on, until the keeper has it again.
    pub(super) fn lose(&self, lane: &mut Lane, why: &str) {
        if let Some(lost) = lane.store.take() {
            lane.lost = Some(lost);
        }
        // Whoever waits for a commit is told that there is none yet.
        lock(&self.waiting).clear();
        self.set_database(Database::Down { why: why.to_owned(), since_ms: self.clock.wall_ms() });
    }

    pub(super) fn set_database(&self, new: Database) {
        let mut standing = lock(&self.standing);
        let (old, news) = (standing.database.clone(), new.clone());
        // Of one silence the beginning is told.
        standing.database = match (&old, new) {
            (Database::Down { since_ms, .. }, Database::Down { why, .. }) => Database::Down { why, since_ms: *since_ms },
            (Database::Held { since_ms, .. }, Database::Held { why, .. }) => Database::Held { why, since_ms: *since_ms },
            (_, new) => new,
        };
        drop(standing);
        self.contact.note(news == Database::Up);
        let trouble = |message: String, hint: &str| Trouble {
            kind: TroubleKind::Database,
            subject: None,
            message,
            hint: hint.to_owned(),
        };
        let troubles = match &news {
            Database::Up => Vec::new(),
            Database::Down { why, .. } => vec![trouble(
                format!("the database is out of reach: {why}"),
                "answers go on, stopping and lowering work; it is tried again every 2 s",
            )],
            Database::Held { why, .. } => vec![trouble(
                why.clone(),
                "bring the right database back, or start once with --accept-database; until then only stopping and lowering work",
            )],
        };
        self.trouble(TroubleKind::Database, troubles);
        if news == Database::Up && old != Database::Up {
            (self.tell)(&News::Back { pending: self.truth().pending().len() });
        }
    }
}

impl From<StoreError> for NotCommitted {
    fn from(error: StoreError) -> NotCommitted {
        NotCommitted::Down(error.chain())
    }
}

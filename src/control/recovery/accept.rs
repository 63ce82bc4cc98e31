//! What goes into a database that a person accepts, before it is served: every stop of the state
//! known here, and the lower splits. Where there is none, one is made of the whole state.

use std::sync::Arc;

use super::super::Inner;
use super::super::commit::Committer;
use super::super::startup::StartupError;
use super::decide::Copies;
use super::look::DatabaseFound;
use crate::auth::random_name;
use crate::clock;
use crate::flag::FlagKey;
use crate::ledger::{
    Action, Attribution, Catalog, Change, ChangeSource, ContentCache, Doubt, FlagEntry, FlagRecord,
    Overlay, Revision, Unknown,
};
use crate::store::{Commit, Store, StoreError};

const ACTOR: &str = "accept-database";

/// The state known here.
pub(in super::super) struct LocalState {
    /// `None` where nothing of it reads, or where the database is all that does.
    pub book: Option<Catalog>,
}

impl Inner {
    /// Believes the database that was found, or makes one, after what is known here is written into
    /// it.
    pub(in super::super) async fn accept(
        self: &Arc<Self>,
        committer: &mut Committer,
        found: DatabaseFound,
        copies: &Copies,
        known: LocalState,
    ) -> Result<(), StartupError> {
        let fault = |error: StoreError| StartupError::NotAccepted(error.chain());
        let path = self.data.database();
        let is_new = match found {
            DatabaseFound::Good { store, pages, .. } => {
                drop((store, pages));
                false
            }
            DatabaseFound::Absent | DatabaseFound::Damaged(_) => {
                let epoch = random_name().ok_or_else(|| {
                    StartupError::NotAccepted("the system gives no randomness".to_owned())
                })?;
                let put_aside = Store::set_sqlite_aside(&path);
                put_aside.map_err(|error| {
                    StartupError::NotAccepted(format!("{}: {error}", path.display()))
                })?;
                Store::make_sqlite(&path, &epoch).await.map_err(fault)?;
                true
            }
            DatabaseFound::OutOfReach(why) | DatabaseFound::OfNewerBuild(why) => {
                return Err(StartupError::NothingToAccept(why));
            }
        };
        let opened = self.open_store().await.map_err(StartupError::NotAccepted)?;
        // A number that was known here is never given again: whoever has seen it takes no later
        // state for an older one.
        let newest = copies.known().map_or(0, |known| known.head.revision);
        let passed =
            opened.store.pass_over(newest, &passed_over(clock::wall_ms())).await.map_err(fault)?;
        let opened = match passed {
            true => {
                opened.store.release().await;
                self.open_store().await.map_err(StartupError::NotAccepted)?
            }
            false => opened,
        };
        self.adopt_store(committer, opened, &[]).await;
        if let Some(book) = &known.book {
            self.write_known(book, is_new).await?;
        }
        self.state().set_doubt(Doubt::None, clock::wall_ms());
        Ok(())
    }

    async fn write_known(&self, known: &Catalog, is_new: bool) -> Result<(), StartupError> {
        let Ok(store) = self.store.open() else {
            return Err(StartupError::NotAccepted("it was lost".to_owned()));
        };
        let (head, changes, forms) = {
            let truth = self.state();
            let (changes, forms) = if is_new {
                whole(known)
            } else {
                (carried(&truth.book, known, clock::wall_ms()), ContentCache::default())
            };
            (truth.book.head, changes, forms)
        };
        if changes.is_empty() {
            return Ok(());
        }
        let at_ms = clock::wall_ms().max(head.committed_at_ms);
        let revision = Revision {
            revision: head.revision + 1,
            changes,
            reason: Some("what was known here before".to_owned()),
            ..passed_over(at_ms)
        };
        let mut staging = store.stage_texts(&forms.texts).await;
        while !staging.is_done() {
            staging.step().await.map_err(|error| StartupError::NotAccepted(error.chain()))?;
        }
        let commit =
            Commit { revision: &revision, after: &head, texts: &forms.texts, request: None };
        store.commit(commit).await.map_err(|error| StartupError::NotAccepted(error.chain()))?;
        let mut truth = self.state();
        truth.book.apply(revision.head(&head, None), &revision.changes, &forms);
        self.refresh(&truth);
        self.publisher.revisions.send_replace(revision.revision);
        Ok(())
    }
}

/// A revision that only takes a number.
fn passed_over(at_ms: i64) -> Revision {
    Revision {
        revision: 0,
        committed_at_ms: at_ms,
        effective_at_ms: at_ms,
        actor: ACTOR.into(),
        origin: ChangeSource::Accept,
        reason: Some("this number was known here before".to_owned()),
        idempotency_key: None,
        changes: Vec::new(),
    }
}

/// Every subject of the known state, for a database that has none.
fn whole(known: &Catalog) -> (Vec<Change>, ContentCache) {
    let flags = known.flags().map(|(key, entry)| {
        let action = if entry.record.stop.is_some() { Action::Stop } else { Action::Define };
        Change::of_flag(key, action, None, Some(entry.record.clone()))
    });
    let segments = known.segments().map(|(key, entry)| {
        Change::of_segment(key, Action::Define, None, Some(entry.record.clone()))
    });
    (segments.chain(flags).collect(), known.forms())
}

/// Every stop of the known state, and of each flag the lower `realtime-v2` and the higher
/// `disabled` of both.
fn carried(database: &Catalog, known: &Catalog, at_ms: i64) -> Vec<Change> {
    let mark = Attribution {
        by: ACTOR.into(),
        at_ms,
        reason: Some("the lower of two states".to_owned()),
        unknown: Unknown::default(),
    };
    let change = |(key, entry): (&FlagKey, &FlagEntry)| {
        let before = database.flag(key.as_str());
        let after = lower(before, entry, &mark);
        let record = before.map(|entry| entry.record.clone());
        if record.clone().unwrap_or_default() == after {
            return None;
        }
        let was_stopped = before.is_some_and(|entry| entry.record.stop.is_some());
        let action = if after.stop.is_some() && !was_stopped { Action::Stop } else { Action::Set };
        Some(Change::of_flag(key, action, record, Some(after)))
    };
    known.flags().filter_map(change).collect()
}

/// The record of a flag under both. Of a flag that the database does not have, what an operator
/// laid over its file is kept.
fn lower(database: Option<&FlagEntry>, known: &FlagEntry, mark: &Attribution) -> FlagRecord {
    let laid = match database {
        None => FlagRecord { split: known.record.split.clone(), ..FlagRecord::default() },
        Some(now) => {
            let (requested, held) = (known.split(), known.record.split.clone());
            let op =
                Overlay::Split { requested, held, mark: mark.clone(), unknown: Unknown::default() };
            op.apply_to(Some(now)).map_or_else(|| now.record.clone(), |entry| entry.record)
        }
    };
    FlagRecord { stop: laid.stop.clone().or_else(|| known.record.stop.clone()), ..laid }
}

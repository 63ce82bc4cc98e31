//! Accepts a database on a person's word, after what is known here is written into it (`carried`).
//! If there is none, one is made of the whole state known here. Either is written as a whole: an
//! acceptance that is killed leaves the old state, held as before.

use std::path::Path;
use std::sync::Arc;

use super::super::Inner;
use super::super::adopt::START_TIMEOUT;
use super::super::committer::Committer;
use super::super::startup_error::StartupError;
use super::carried::{self, Carried};
use super::found::Copies;
use super::look::DatabaseFound;
use crate::auth::random_name;
use crate::clock;
use crate::ledger::{Catalog, ChangeSource, Credential, Doubt, Head, Revision};
use crate::store::{Commit, Store, StoreError};

/// The state known here.
pub(in super::super) struct LocalState {
    /// `None` if no part of it can be read, or if only the database can.
    pub catalog: Option<Catalog>,
    /// Whether another file contradicts it: then its credentials may belong to another
    /// installation.
    pub is_disputed: bool,
}

impl Inner {
    /// Accepts the database that was found, or makes one, after what is known here is written into
    /// it.
    pub(in super::super) async fn accept(
        self: &Arc<Self>,
        committer: &mut Committer,
        found: DatabaseFound,
        copies: &Copies,
        known: LocalState,
    ) -> Result<(), StartupError> {
        match found {
            DatabaseFound::Good { store, pages, .. } => {
                drop((store, pages));
                self.accept_found(committer, copies, &known).await?;
            }
            DatabaseFound::Absent | DatabaseFound::Damaged(_) => {
                self.make_of(copies, &known).await?;
                let opened =
                    self.open_store(START_TIMEOUT).await.map_err(StartupError::NotAccepted)?;
                self.adopt_store(committer, opened, &[]).await;
            }
            DatabaseFound::OutOfReach(why) | DatabaseFound::OfNewerBuild(why) => {
                return Err(StartupError::NothingToAccept(why));
            }
        }
        self.state().set_doubt(Doubt::NONE, clock::wall_ms());
        Ok(())
    }

    /// Writes what is known here into a readable database.
    async fn accept_found(
        self: &Arc<Self>,
        committer: &mut Committer,
        copies: &Copies,
        known: &LocalState,
    ) -> Result<(), StartupError> {
        let opened = self.open_store(START_TIMEOUT).await.map_err(StartupError::NotAccepted)?;
        let opened = if pass_over_known(&opened.store, copies).await.map_err(not_accepted)? {
            opened.store.release().await;
            self.open_store(START_TIMEOUT).await.map_err(StartupError::NotAccepted)?
        } else {
            opened
        };
        self.adopt_store(committer, opened, &[]).await;
        let Ok(store) = self.store.require() else {
            return Err(StartupError::NotAccepted("it was lost".to_owned()));
        };
        let (head, carried) =
            {
                let state = self.state();
                let doubt = &copies.journal.doubt.credentials;
                let at_ms = clock::wall_ms();
                let carried = carried::into(&state.catalog, known.catalog.as_ref(), at_ms)
                    .and_revoked(&state.credentials(), doubt, at_ms);
                (state.catalog.head, carried)
            };
        let Some(revision) = write(&store, &head, &carried).await.map_err(not_accepted)? else {
            return Ok(());
        };
        let mut state = self.state();
        state.catalog.apply(revision.head(&head, None), &revision.changes, &carried.content);
        self.go_live(&state);
        self.served.revisions.send_replace(revision.revision);
        Ok(())
    }

    /// Makes a database of the whole state known here. It gets its name only once it is complete.
    async fn make_of(&self, copies: &Copies, known: &LocalState) -> Result<(), StartupError> {
        let path = self.data.database();
        let epoch = random_name().ok_or_else(|| {
            StartupError::NotAccepted("the system gives no randomness".to_owned())
        })?;
        let empty = Catalog::empty();
        let (catalog, now) = (known.catalog.as_ref().unwrap_or(&empty), clock::wall_ms());
        let credentials = self.state().credentials_over(catalog);
        let is_wanted = |credential: &Credential| {
            let is_revoked = credential.record.revoked_at_ms.is_some();
            credential.record.is_needed(now) && (is_revoked || !known.is_disputed)
        };
        let credentials =
            credentials.into_iter().map(|(id, record)| Credential { id, record }).filter(is_wanted);
        let carried =
            carried::whole(catalog, credentials.collect(), &copies.journal.doubt.credentials, now);
        let draft = Store::draft_sqlite(&path, &epoch).await.map_err(not_accepted)?;
        fill(&draft, copies, &carried).await.map_err(not_accepted)?;
        Store::put_sqlite_in_place(&draft, &path).await.map_err(not_accepted)
    }
}

async fn fill(draft: &Path, copies: &Copies, carried: &Carried) -> Result<(), StoreError> {
    let store = Store::open_sqlite(draft).await?;
    pass_over_known(&store, copies).await?;
    let (_, head) = store.head().await?;
    write(&store, &head, carried).await?;
    // Once closed, everything is in the one file.
    store.release().await;
    Ok(())
}

/// A number that was known here is never used again: a client that has seen it would take a later
/// state for an older one.
async fn pass_over_known(store: &Store, copies: &Copies) -> Result<bool, StoreError> {
    let newest = copies.known().map_or(0, |known| known.head.revision);
    store.pass_over(newest, &revision(clock::wall_ms(), "this number was known here before")).await
}

/// Commits the changes as one revision, if there are any.
async fn write(
    store: &Store,
    head: &Head,
    carried: &Carried,
) -> Result<Option<Revision>, StoreError> {
    if carried.changes.is_empty() {
        return Ok(None);
    }
    let at_ms = clock::wall_ms().max(head.committed_at_ms);
    let revision = Revision {
        revision: head.revision + 1,
        changes: carried.changes.clone(),
        ..revision(at_ms, "what was known here before")
    };
    let blobs = &carried.content.blobs;
    let mut staging = store.stage_blobs(blobs).await;
    while !staging.is_done() {
        staging.step().await?;
    }
    drop(staging);
    store.commit(Commit { revision: &revision, expected_head: head, blobs, request: None }).await?;
    Ok(Some(revision))
}

/// A revision that only uses up a number.
fn revision(at_ms: i64, reason: &str) -> Revision {
    Revision {
        revision: 0,
        committed_at_ms: at_ms,
        effective_at_ms: at_ms,
        actor: carried::ACTOR.into(),
        origin: ChangeSource::Accept,
        reason: Some(reason.to_owned()),
        idempotency_key: None,
        changes: Vec::new(),
    }
}

fn not_accepted(error: StoreError) -> StartupError {
    StartupError::NotAccepted(error.chain())
}

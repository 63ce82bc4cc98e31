//! Which state is served: the database's, once it is trusted, or one that was kept beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::committer::{Committer, LATE};
use super::known_states::KnownStates;
use super::quarantine;
use super::recovery::{Base, DatabaseFound, FilesFound};
use super::{Database, Inner};
use crate::clock;
use crate::data_dir::LastGood;
use crate::ledger::{Catalog, ContentCache, Credential, Doubt, EffectiveState, KnownHead};
use crate::store::{Loaded, Store, StoreError};

/// How long a database that was looked at at a start may take to open: an older build's tables are
/// changed then.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A database, its content, and which part of that was known here before.
pub(super) struct Opened {
    pub store: Store,
    pub loaded: Loaded,
    cached: ContentCache,
}

impl Inner {
    /// The database and its content, or why there is none. It may take `limit` to open, and as long
    /// without reading anything; how long all of it takes to read has no limit.
    pub(super) async fn open_store(self: &Arc<Self>, limit: Duration) -> Result<Opened, String> {
        let late = || LATE.to_owned();
        let path = self.data.database();
        let store = timeout(limit, Store::open_sqlite(&path)).await.map_err(|_| late())?;
        let store = store.map_err(|error| match error {
            StoreError::NoFile => format!("{} is not there", path.display()),
            error => error.chain(),
        })?;
        let cached = self.cached_content().await;
        let loaded = store.unless_silent(limit, Box::pin(store.load(&cached.blobs))).await;
        let loaded = loaded.ok_or_else(late)?.map_err(|error| error.chain())?;
        Ok(Opened { store, loaded, cached })
    }

    /// The content that the folder and memory have, and that need not be read again. The folder may
    /// just be read, for long: commands go on meanwhile.
    pub(super) async fn cached_content(self: &Arc<Self>) -> ContentCache {
        let inner = self.clone();
        let cached = spawn_blocking(move || {
            let definitions = inner.definitions.lock();
            let known = inner.served.shown();
            ContentCache::cached(&definitions, &known.catalog)
        });
        cached.await.unwrap_or_default()
    }

    /// The state in memory, if it came from a database.
    fn memory(&self) -> Option<(KnownHead, Catalog)> {
        let epoch = self.store.status().epoch?;
        let state = self.served.shown();
        state
            .is_recorded()
            .then(|| (KnownHead { epoch, head: state.catalog.head }, state.catalog.clone()))
    }

    /// Serves the content of a database, and writes to it from here on. Where its rows differ from
    /// memory, or from the `kept` states, the narrowest is served.
    pub(super) async fn adopt_store(
        self: &Arc<Self>,
        committer: &mut Committer,
        opened: Opened,
        kept: &[&LastGood],
    ) {
        let Opened { store, loaded, cached } = opened;
        let head = loaded.head;
        let epoch = loaded.epoch.clone();
        let old_tokens = loaded.old_tokens.clone();
        let known_states = KnownStates::of(&store, self.memory(), kept).await;
        let (catalog, poison) = quarantine::catalog_of(&store, loaded, cached, &known_states).await;
        committer.old_tokens = old_tokens.map(|old| not_yet_recorded(old, &catalog));
        let catalog = catalog.and_credentials(committer.old_tokens.iter().flatten().cloned());
        self.trouble(super::ProblemKind::PoisonRow, poison);
        let known = self.committed_already(&store).await;
        self.fast_path.committed.lock().extend(known.iter().cloned());
        {
            let mut state = self.state();
            if state.position() == self.served.live.current().position() {
                known.iter().for_each(|id| state.mark_committed(id));
            } else {
                state.drop_committed(&known);
            }
            state.serve_recorded(catalog);
            state.set_doubt(Doubt::NONE, self.clock.wall_ms());
            if state.is_recorded() {
                self.rise_if_other(&mut state);
            } else {
                // Whatever comes over the files goes live, too.
                state.rise_above(self.served.live.current().position());
            }
            self.go_live(&state);
        }
        self.store.set_epoch(epoch.clone());
        *self.witnesses.known.lock() = Some(KnownHead { epoch, head });
        // From here on memory is the witness of the newest state.
        *self.witnesses.copies.lock() = None;
        self.witnesses.adopted_in.store(self.data.number(), Ordering::Relaxed);
        self.store.put(Arc::new(store));
        self.set_database(Database::Up);
        self.served.revisions.send_replace(head.revision);
        self.changed.notify_one();
        self.settle_credentials(committer).await;
    }

    /// A position identifies the live state: if the same revision has another content, the position
    /// rises. Otherwise clients would keep old answers while operators see new ones.
    pub(super) fn rise_if_other(&self, state: &mut EffectiveState) {
        let live = self.served.live.current().clone();
        if state.position() <= live.position()
            && !live.next(state.position(), state.effective_flags().into_iter()).1.is_empty()
        {
            state.rise_above(live.position());
        }
    }

    /// Forgets the journal's entries that are committed in the base: applied to it again, they
    /// would bring back a stop that was lifted since.
    pub(super) async fn forget_committed(
        &self,
        base: Option<Base>,
        files: &FilesFound,
        found: &DatabaseFound,
    ) {
        let committed = match (base, files.state_of(base), found.store()) {
            (Some(Base::Database), _, Some(store)) => self.committed_already(store).await,
            (_, Some(kept), _) => kept.committed.clone(),
            _ => return,
        };
        self.state().drop_committed(&committed);
        self.fast_path.committed.lock().extend(committed);
    }

    /// The pending entries that the database has: they were read from a journal that was not
    /// cleared yet. A name that stands there for another request, or for an earlier one of the same
    /// content, does not count: its entry is committed under a second name (`replay`).
    async fn committed_already(&self, store: &Store) -> Vec<String> {
        let entries: Vec<_> = self.state().pending().iter().cloned().collect();
        let mut known = Vec::new();
        for entry in entries {
            let look_up = async |name: &str| {
                timeout(super::committer::READ_TIMEOUT, store.by_idempotency_key(name)).await
            };
            let Ok(Ok(Some(stored))) = look_up(&entry.id).await else { continue };
            if stored.is_entry(&entry)
                || matches!(look_up(&entry.second_name()).await, Ok(Ok(Some(_))))
            {
                known.push(entry.id);
            }
        }
        known
    }

    /// Serves a state that was kept beside the database, or the database's content without trusting
    /// it. Its rows are compared with these witnesses.
    pub(super) async fn serve_base(
        self: &Arc<Self>,
        base: Base,
        kept: Option<&LastGood>,
        store: Option<&Store>,
        witnesses: &[&LastGood],
        is_disputed: bool,
    ) -> Result<(), String> {
        let cached = self.cached_content().await;
        let (epoch, catalog) = match (base, kept, store) {
            (Base::Database, _, Some(store)) => {
                let loaded = store.load(&cached.blobs).await.map_err(|error| error.chain())?;
                let (epoch, old_tokens) =
                    (loaded.epoch.clone(), loaded.old_tokens.clone().unwrap_or_default());
                let known = KnownStates::of(store, None, witnesses).await;
                let (catalog, poison) = quarantine::catalog_of(store, loaded, cached, &known).await;
                self.trouble(super::ProblemKind::PoisonRow, poison);
                let old_tokens = not_yet_recorded(old_tokens, &catalog);
                (epoch, catalog.and_credentials(old_tokens))
            }
            (_, Some(kept), _) => (
                kept.epoch.clone(),
                catalog_of_last_good(kept, cached).map_err(|error| error.to_string())?,
            ),
            _ => return Err("nothing of what was known reads".to_owned()),
        };
        // Credentials of another installation are not accepted.
        let catalog = if is_disputed { catalog.without_credentials() } else { catalog };
        self.store.set_epoch(epoch);
        let mut state = self.state();
        state.serve_recorded(catalog);
        self.go_live(&state);
        Ok(())
    }
}

/// The catalog of a last good state.
pub(super) fn catalog_of_last_good(
    kept: &LastGood,
    cached: ContentCache,
) -> std::io::Result<Catalog> {
    let blobs = kept.blobs(|_| true, &cached.blobs)?;
    let mut content = ContentCache { blobs, ..cached };
    // What was live could be parsed then; if it cannot now, it has no good form.
    kept.flags.iter().for_each(|(key, record, _)| drop(content.read_flag(key, record)));
    kept.segments.iter().for_each(|(key, record, _)| drop(content.read_segment(key, record)));
    let catalog = Catalog::of(kept.head, kept.flags.clone(), kept.segments.clone(), content);
    Ok(catalog.and_credentials(kept.tokens.clone()))
}

/// The credentials in the form of older builds that are in no revision yet, as far as they must be
/// kept.
fn not_yet_recorded(old: Vec<Credential>, catalog: &Catalog) -> Vec<Credential> {
    let now = clock::wall_ms();
    let is_new =
        |old: &Credential| old.record.is_needed(now) && catalog.credential(&old.id).is_none();
    old.into_iter().filter(is_new).collect()
}

//! Which state is served: the database's, from the moment it is believed, or one that was kept
//! beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::commit::Committer;
use super::known_states::KnownStates;
use super::quarantine;
use super::recovery::{Base, DatabaseFound, FilesFound};
use super::{Database, Inner};
use crate::clock;
use crate::data_dir::LastGood;
use crate::ledger::{Catalog, ContentCache, Credential, Doubt, EffectiveState, KnownHead};
use crate::store::{Loaded, Store, StoreError};

/// A database, what it holds, and what of that was here before.
pub(super) struct Opened {
    pub store: Store,
    pub loaded: Loaded,
    at_hand: ContentCache,
}

impl Inner {
    /// The database and what it holds, or why not.
    pub(super) async fn open_store(self: &Arc<Self>) -> Result<Opened, String> {
        let store = Store::open_sqlite(&self.data.database()).await;
        let store = store.map_err(|error| match error {
            StoreError::NoFile => format!("{} is not there", self.data.database().display()),
            error => error.chain(),
        })?;
        let at_hand = self.cached_content().await;
        let loaded = store.load(&at_hand.texts).await.map_err(|error| error.chain())?;
        Ok(Opened { store, loaded, at_hand })
    }

    /// What the folder and memory hold, and so need not be read again. The folder may be read just
    /// now, for long: orders go on meanwhile.
    pub(super) async fn cached_content(self: &Arc<Self>) -> ContentCache {
        let inner = self.clone();
        let at_hand = spawn_blocking(move || {
            let library = inner.library.lock();
            let known = inner.publisher.shown();
            ContentCache::cached(&library, &known.book)
        });
        at_hand.await.unwrap_or_default()
    }

    /// The state that memory holds, if a database said it.
    fn memory(&self) -> Option<(KnownHead, Catalog)> {
        let epoch = self.store.status().epoch?;
        let truth = self.publisher.shown();
        truth
            .is_recorded()
            .then(|| (KnownHead { epoch, head: truth.book.head }, truth.book.clone()))
    }

    /// Serves what a database says, and writes to it from here on. Where its rows differ from what
    /// memory holds, or from the states that were `kept`, the narrowest is served.
    pub(super) async fn adopt_store(
        self: &Arc<Self>,
        committer: &mut Committer,
        opened: Opened,
        kept: &[&LastGood],
    ) {
        let Opened { store, loaded, at_hand } = opened;
        let head = loaded.head;
        let epoch = loaded.epoch.clone();
        let old_tokens = loaded.old_tokens.clone();
        let known_states = KnownStates::of(&store, self.memory(), kept).await;
        let (book, poison) = quarantine::book_of(&store, loaded, at_hand, &known_states).await;
        committer.old_tokens = old_tokens.map(|old| not_yet_recorded(old, &book));
        let book = book.and_credentials(committer.old_tokens.iter().flatten().cloned());
        self.trouble(super::ProblemKind::PoisonRow, poison);
        let known = self.committed_already(&store).await;
        self.fast_path.committed.lock().extend(known.iter().cloned());
        {
            let mut truth = self.state();
            match truth.position() == self.publisher.live.current().position() {
                true => known.iter().for_each(|id| truth.forget(id)),
                false => truth.forget_unseen(&known),
            }
            truth.serve_recorded(book);
            truth.set_doubt(Doubt::NONE, self.clock.wall_ms());
            self.rise_if_other(&mut truth);
            self.refresh(&truth);
        }
        self.store.set_epoch(epoch.clone());
        *self.witnesses.known.lock() = Some(KnownHead { epoch, head });
        // From here on memory is the witness of the newest state.
        *self.witnesses.copies.lock() = None;
        self.witnesses.adopted_in.store(self.data.number(), Ordering::Relaxed);
        self.store.put(Arc::new(store));
        self.set_database(Database::Up);
        self.publisher.revisions.send_replace(head.revision);
        self.changed.notify_one();
        self.settle_credentials(committer).await;
    }

    /// What is live is told from what was by its position: where the same revision comes to
    /// something else, the position rises, or answers would go on as they were while operators are
    /// told otherwise.
    fn rise_if_other(&self, truth: &mut EffectiveState) {
        let live = self.publisher.live.current().clone();
        if truth.position() <= live.position()
            && !live.next(truth.position(), truth.effective_flags().into_iter()).1.is_empty()
        {
            truth.rise_above(live.position());
        }
    }

    /// Forgets the entries of the journal that are committed in the base that is served: laid over
    /// it again, a stop would come back that was lifted since.
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
        self.state().forget_unseen(&committed);
        self.fast_path.committed.lock().extend(committed);
    }

    /// The pending entries that the database has: they were read from a journal that was not
    /// cleared yet. A name that stands there for another request, or for the same one as it was
    /// made before, is not one of them: its entry is committed under a name of its own (`replay`).
    async fn committed_already(&self, store: &Store) -> Vec<String> {
        let entries: Vec<_> = self.state().pending().iter().cloned().collect();
        let mut known = Vec::new();
        for entry in entries {
            let look_up = async |name: &str| {
                timeout(super::commit::READ_TIMEOUT, store.by_idempotency_key(name)).await
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

    /// Serves a state that was kept beside the database, or what the database says without
    /// believing it. Its rows are compared with these witnesses.
    pub(super) async fn serve_base(
        self: &Arc<Self>,
        base: Base,
        kept: Option<&LastGood>,
        store: Option<&Store>,
        witnesses: &[&LastGood],
        is_disputed: bool,
    ) -> Result<(), String> {
        let at_hand = self.cached_content().await;
        let (epoch, book) = match (base, kept, store) {
            (Base::Database, _, Some(store)) => {
                let loaded = store.load(&at_hand.texts).await.map_err(|error| error.chain())?;
                let (epoch, old_tokens) =
                    (loaded.epoch.clone(), loaded.old_tokens.clone().unwrap_or_default());
                let known = KnownStates::of(store, None, witnesses).await;
                let (book, poison) = quarantine::book_of(store, loaded, at_hand, &known).await;
                self.trouble(super::ProblemKind::PoisonRow, poison);
                let old_tokens = not_yet_recorded(old_tokens, &book);
                (epoch, book.and_credentials(old_tokens))
            }
            (_, Some(kept), _) => (
                kept.epoch.clone(),
                book_of_kept(kept, at_hand).map_err(|error| error.to_string())?,
            ),
            _ => return Err("nothing of what was known reads".to_owned()),
        };
        // Those of another installation are not ours.
        let book = if is_disputed { book.without_credentials() } else { book };
        self.store.set_epoch(epoch);
        let mut truth = self.state();
        truth.serve_recorded(book);
        self.refresh(&truth);
        Ok(())
    }
}

/// The book of a last good state.
pub(super) fn book_of_kept(kept: &LastGood, at_hand: ContentCache) -> std::io::Result<Catalog> {
    let texts = kept.texts(|_| true, &at_hand.texts)?;
    let mut forms = ContentCache { texts, ..at_hand };
    // What was live read then; if it does not now, it has no good form.
    kept.flags.iter().for_each(|(key, record, _)| drop(forms.read_flag(key, record)));
    kept.segments.iter().for_each(|(key, record, _)| drop(forms.read_segment(key, record)));
    let book = Catalog::of(kept.head, kept.flags.clone(), kept.segments.clone(), forms);
    Ok(book.and_credentials(kept.tokens.clone()))
}

/// The credentials in the form of older builds that are in no revision yet, as far as anything is
/// lost without them.
fn not_yet_recorded(old: Vec<Credential>, book: &Catalog) -> Vec<Credential> {
    let now = clock::wall_ms();
    let is_new = |old: &Credential| old.record.is_needed(now) && book.credential(&old.id).is_none();
    old.into_iter().filter(is_new).collect()
}

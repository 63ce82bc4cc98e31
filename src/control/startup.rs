//! A start: the content of the data folder is read, `recovery` decides what is served of it, and
//! only then is anything written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::admin_token_state::AdminToken;
use super::adopt::{START_TIMEOUT, catalog_of_last_good};
use super::committer::{Committer, LATE};
use super::disk_check::DiskCheck;
use super::fast_path::FastPath;
use super::key_locks::KeyLocks;
use super::lock_order::{AsyncLock, Lock, Rank};
use super::problems::ProblemKind;
use super::recovery::{
    Base, Copies, CopyState, DatabaseFound, Decision, FilesFound, Foreign, LocalState, decide,
    look_at_database, why_held,
};
use super::served_state::ServedState;
use super::server_auth;
use super::session_revocations::SessionRevocations;
use super::startup_error::StartupError;
use super::store_handle::StoreHandle;
use super::unsettled::Unsettled;
use super::witnesses::Witnesses;
use super::{ControlEvent, Coordinator, Database, Inner};
use crate::auth::{LocalAdmin, random_name};
use crate::clock::Clock;
use crate::data_dir::{DataDir, FoundJournal, FoundLastGood, Journal, JournalError};
use crate::definition::limits::CHECKS_AT_ONCE;
use crate::definition::{DefinitionSet, FlagFiles};
use crate::flag::ServerAuth;
use crate::ledger::{Catalog, Doubt, EffectiveState};
use crate::live::Live;
use crate::public_path::PublicPath;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::time_limit::OneAtATime;

/// How long a database may take at a start when there is a last good state to serve, and when there
/// is none.
const OPEN_TIMEOUT_WITH_LAST_GOOD: Duration = Duration::from_millis(800);
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// The part of the first two that the check of the pages may take. A large database is used before the
/// check ends, and held if the check fails.
const PAGE_CHECK_TIMEOUT_WITH_LAST_GOOD: Duration = Duration::from_millis(400);
const PAGE_CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The arguments of opening a data folder.
#[derive(Debug)]
pub struct OpenOptions {
    pub data: Arc<DataDir>,
    /// The content of the flags folder. Opening does not make it live, but content that the
    /// database or the last good state refer to is taken from it and not read again.
    pub contents: FlagFiles,
    pub server_auth: ServerAuth,
    /// The path under which a proxy serves the public listener.
    pub public_path: PublicPath,
    /// The clock for expiries and credentials.
    pub clock: Clock,
    /// Accept the database as it is, after the stops of the state known here are written into it.
    pub accept_database: bool,
    /// Whether an empty data folder is a first start, or one that lost its volume.
    pub may_be_new: bool,
    pub observer: fn(&ControlEvent),
}

impl Coordinator {
    /// Opens what is there and serves it. Its tasks run on the caller's runtime.
    pub async fn open(opening: OpenOptions) -> Result<Coordinator, StartupError> {
        let OpenOptions {
            data,
            contents,
            server_auth,
            public_path,
            clock,
            accept_database,
            may_be_new,
            observer,
        } = opening;
        let mut definitions = DefinitionSet::default();
        // Its findings are reported when it is ingested.
        definitions.read(&contents, CHECKS_AT_ONCE);
        let (file, files) = FilesFound::look(&data);
        let copies = files.copies(&data);
        let pending =
            files.journal.contents().map(|contents| contents.entries.clone()).unwrap_or_default();
        let (kept, unknown) = match &files.last_good {
            FoundLastGood::Good(last_good) => (Some(last_good.head), last_good.unknown.clone()),
            _ => Default::default(),
        };
        let now = clock.wall_ms();
        let mut state = EffectiveState::of(Catalog::empty(), pending);
        state.know_revoked(
            files.credentials().filter(|credential| credential.record.is_needed(now)),
        );
        let revocations = SessionRevocations::read(&data.revoked_sessions(), clock.now()).await;
        let inner = Arc::new(Inner {
            served: ServedState::new(Live::new(Snapshot::cold(server_auth, public_path)), state),
            store: StoreHandle::new(kept),
            committer: AsyncLock::new(Rank::Committer, Committer::default()),
            fast_path: FastPath::default(),
            unsettled: Unsettled::default(),
            readings: AtomicU64::new(0),
            compare_files: AtomicBool::new(false),
            witnesses: Witnesses::new(copies, file, unknown),
            definitions: Lock::new(Rank::Definitions, definitions),
            reconciling: AsyncLock::new(Rank::Reconciling, ()),
            keys: KeyLocks::default(),
            local_admin: LocalAdmin::default(),
            admin_token: AsyncLock::new(Rank::AdminToken, AdminToken::default()),
            ends: Lock::default(),
            problems: Arc::default(),
            refused: Lock::default(),
            disk: DiskCheck::default(),
            folder_check: OneAtATime::default(),
            revocations,
            wake: Notify::new(),
            ends_changed: Notify::new(),
            ends_widen: AtomicBool::new(false),
            changed: Notify::new(),
            data,
            clock,
            observer,
        });
        inner.trouble(
            ProblemKind::ServerAuth,
            server_auth::problem(server_auth).into_iter().collect(),
        );
        inner.open_admin_token().await;
        inner.recover(files, accept_database, may_be_new).await?;
        // From here on, not from the first run of its task: the clock may leap in between.
        let leaps = inner.watch_clock();
        tokio::spawn(super::maintenance::maintain_store(Arc::downgrade(&inner), leaps));
        tokio::spawn(super::expiry::expire_loop(Arc::downgrade(&inner)));
        tokio::spawn(super::maintenance::save_last_good_loop(Arc::downgrade(&inner)));
        tokio::spawn(super::disk::watch_disk(Arc::downgrade(&inner)));
        tokio::spawn(super::session_revoker::write_loop(Arc::downgrade(&inner)));
        tokio::spawn(super::admin_token::watch(Arc::downgrade(&inner)));
        Ok(Coordinator(inner))
    }

    /// Saves the last state and closes the database.
    pub async fn close(&self) {
        self.0.save_last_good().await;
        if let Ok(_committer) = timeout(Duration::from_secs(1), self.0.committer.lock()).await
            && let Some(store) = self.0.store.take()
        {
            let _ = timeout(Duration::from_secs(1), store.close()).await;
        }
    }
}

impl Inner {
    async fn recover(
        self: &Arc<Self>,
        mut files: FilesFound,
        accept: bool,
        may_be_new: bool,
    ) -> Result<(), StartupError> {
        let mut committer = self.committer.lock().await;
        let mut copies = self.copies();
        let is_kept = matches!(copies.last_good, CopyState::Good(_)) && !accept;
        let (patience, pages) = if is_kept {
            (OPEN_TIMEOUT_WITH_LAST_GOOD, PAGE_CHECK_TIMEOUT_WITH_LAST_GOOD)
        } else {
            (OPEN_TIMEOUT, PAGE_CHECK_TIMEOUT)
        };
        let path = self.data.database();
        let looking = look_at_database(&path, &copies, pages);
        let late = |_| DatabaseFound::OutOfReach("the database does not answer in time".to_owned());
        let found = timeout(patience, looking).await.unwrap_or_else(late);
        if files.doubt_blank_journal(&found) {
            copies = files.copies(&self.data);
            *self.witnesses.copies.lock() = Some(copies.clone());
        }
        let (without_foreign, foreign) = copies.without_foreign(&found.witness());
        if foreign != Foreign::default() {
            copies = without_foreign;
            files.leave_out(foreign);
            self.distrust_foreign(foreign, &copies).await;
            let now = self.clock.wall_ms();
            self.state().know_revoked(
                files.credentials().filter(|credential| credential.record.is_needed(now)),
            );
        }
        let decision = decide(&found.witness(), &copies);
        if decision == Decision::First && !may_be_new {
            return Err(StartupError::NewData(self.data.path().display().to_string()));
        }
        self.report_findings_at_start(&files, &copies).await;
        let doubt = match &decision {
            Decision::Hold { doubt, .. } => doubt.clone(),
            Decision::Serve | Decision::First => Doubt::NONE,
        };
        if let Decision::Hold { base, .. } = &decision {
            self.forget_committed(*base, &files, &found).await;
        }
        self.state().set_doubt(doubt, self.clock.wall_ms());
        self.open_journal(&files.journal).await;
        match decision {
            Decision::Serve => self.begin_with(&mut committer, found, &files).await,
            Decision::First => self.begin_anew(&mut committer).await?,
            Decision::Hold { base, is_disputed, .. } if accept => {
                let known = self.known_state(base, &files, is_disputed).await;
                self.accept(&mut committer, found, &copies, known).await?;
                self.end_hold().await;
            }
            Decision::Hold { base, is_disputed, .. } => {
                let why = why_held(&found, &copies, &decision);
                self.hold(base, &files, &found, why, is_disputed).await;
            }
        }
        // What was acknowledged before a crash is live before the first answer, and committed if
        // possible.
        let _ = self.replay(&mut committer).await;
        {
            let state = self.state();
            if !state.pending().is_empty() {
                self.go_live(&state);
            }
        }
        if accept {
            self.save_last_good().await;
        }
        Ok(())
    }

    /// The database has the newest state, and is written to from here on.
    async fn begin_with(
        self: &Arc<Self>,
        committer: &mut Committer,
        found: DatabaseFound,
        files: &FilesFound,
    ) {
        let last_good = files.state_of(Some(Base::LastGood));
        let witnesses = files.kept_states();
        match self.open_store(START_TIMEOUT).await {
            Ok(opened) => {
                self.adopt_store(committer, opened, &witnesses).await;
                if let DatabaseFound::Good { store, pages: Some(pages), .. } = found {
                    self.await_pages(store, pages);
                }
            }
            // It can be read, but not written to.
            Err(why) => {
                let base = if last_good.is_some() { Base::LastGood } else { Base::Database };
                let _ = self.serve_base(base, last_good, found.store(), &witnesses, false).await;
                self.set_database(Database::Down { why, since_ms: self.clock.wall_ms() });
            }
        }
    }

    /// Nothing was ever known here.
    async fn begin_anew(self: &Arc<Self>, committer: &mut Committer) -> Result<(), StartupError> {
        (self.observer)(&ControlEvent::FirstStart { data: self.data.path().display().to_string() });
        match self.make_store(START_TIMEOUT).await {
            Ok(opened) => self.adopt_store(committer, opened, &[]).await,
            // The files are served all the same.
            Err(why) => self.set_database(Database::Down { why, since_ms: self.clock.wall_ms() }),
        }
        Ok(())
    }

    pub(super) async fn make_store(
        self: &Arc<Self>,
        limit: Duration,
    ) -> Result<super::adopt::Opened, String> {
        let epoch = random_name().ok_or("the system gives no randomness")?;
        let path = self.data.database();
        let made = timeout(limit, Store::make_sqlite(&path, &epoch)).await;
        made.map_err(|_| LATE)?.map_err(|error| error.chain())?;
        self.open_store(limit).await
    }

    /// Serves what is known, and nothing else, until a person decides.
    async fn hold(
        self: &Arc<Self>,
        base: Option<Base>,
        files: &FilesFound,
        found: &DatabaseFound,
        why: String,
        is_disputed: bool,
    ) {
        let served = match base {
            Some(of) => {
                self.serve_base(
                    of,
                    files.state_of(base),
                    found.store(),
                    &files.kept_states(),
                    is_disputed,
                )
                .await
            }
            None => Ok(()),
        };
        let why = match served {
            Ok(()) => why,
            Err(error) => format!("{why}; what is known does not read: {error}"),
        };
        self.set_database(Database::Held { why, since_ms: self.clock.wall_ms() });
    }

    async fn known_state(
        self: &Arc<Self>,
        base: Option<Base>,
        files: &FilesFound,
        is_disputed: bool,
    ) -> LocalState {
        let cached = self.cached_content().await;
        // A last good state that contradicts the base may be right: its stops stay in force.
        let kept = files.state_of(base).or_else(|| files.state_of(Some(Base::LastGood)));
        let catalog = kept.and_then(|kept| catalog_of_last_good(kept, cached).ok());
        LocalState { catalog, is_disputed }
    }

    /// Opens the journal, or makes one from what can be read. Without a journal, stops live in
    /// memory only, and are reported so.
    async fn open_journal(self: &Arc<Self>, found: &FoundJournal) {
        let mut journal = self.fast_path.journal.lock().await.handed_over();
        let (path, known) = (self.data.journal(), self.witnesses.known.lock().clone());
        let (entries, doubt) = {
            let state = self.state();
            (
                state.pending().to_vec(),
                found.contents().map(|contents| contents.doubt.clone()).unwrap_or_default(),
            )
        };
        let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        let contents = match found {
            FoundJournal::Good(contents) => Some(contents.clone()),
            _ => None,
        };
        let opened = spawn_blocking(move || match contents {
            Some(contents) => Journal::open(&path, &contents),
            None => Journal::remake(&path, known, &entries, &doubt).map(|(journal, _)| journal),
        });
        match opened.await.unwrap_or(Err(JournalError::NotInPlace)) {
            Ok(opened) => {
                self.fast_path
                    .journaled
                    .lock()
                    .extend(ids.into_iter().filter(|id| !opened.leaves_out(id)));
                *journal = Some(opened);
                self.fast_path.note_used(&journal);
            }
            Err(error) => self.report_journal(Some(error.to_string())),
        }
    }

    /// A person decided: what stood against the database no longer counts, and is moved out of the
    /// way.
    async fn end_hold(self: &Arc<Self>) {
        let inner = self.clone();
        let mut journal = self.fast_path.journal.lock().await.handed_over();
        let ended = spawn_blocking(move || {
            let entries = inner.state().pending().to_vec();
            let known = inner.witnesses.known.lock().clone();
            let _ = inner.witnesses.last_good.lock().set_newer_aside();
            let made = inner.data.set_newer_journal_aside().map_err(JournalError::from);
            let made = made
                .and_then(|()| Journal::make(&inner.data.journal(), known, &entries, &Doubt::NONE));
            match made {
                Ok(made) => {
                    let ids =
                        entries.into_iter().map(|entry| entry.id).filter(|id| !made.leaves_out(id));
                    inner.fast_path.journaled.lock().extend(ids);
                    *journal = Some(made);
                    inner.report_journal(None);
                }
                Err(error) => inner.report_journal(Some(error.to_string())),
            }
        });
        let _ = ended.await;
    }

    /// Reports what could not be read, and what became of it.
    async fn report_findings_at_start(self: &Arc<Self>, files: &FilesFound, copies: &Copies) {
        if matches!(files.last_good, FoundLastGood::Damaged { .. }) {
            self.set_last_good_aside().await;
        }
        *self.witnesses.found_at_start.lock() = files.troubles(&self.data, copies);
        self.report_journal(None);
        self.report_last_good(None);
    }
}

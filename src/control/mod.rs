//! The write path: every change goes through the [`Coordinator`]. Floor 3.
//!
//! A file edit, an operator's command and the expiry of a held split become changes here. They are
//! committed, swapped in, announced and only then acknowledged (law 7). A narrowing change is
//! journaled and swapped in first, and committed concurrently.
//!
//! | owner | what it owns | file |
//! |---|---|---|
//! | `Publisher` | the effective state, and the live snapshot | `publisher` |
//! | `StoreHandle` | the database in use, for reads and for the committer | `store_handle` |
//! | `Committer` | the right to commit: one revision at a time | `commit`, `replay`, `catch_up` |
//! | `FastPath` | narrowing changes until they are committed: the journal and the waiters |
//! `fast_path`, `journal` |
//! | `Witnesses` | the copies beside the database, and what they held at the start | `witnesses` |
//!
//! `lock_order` states the order in which their locks are taken.
//!
//! | file | what it decides |
//! |---|---|
//! | `command` | what an operator can ask for, and the possible outcomes |
//! | `execute` | which way a command takes: the fast path if it narrows, else the committer |
//! | `idempotency`, `as_of` | what a command under the same key did before, and what a rollback goes back to |
//! | `reconcile`, `test_queue` | what a reading of the flags folder changes, and which tests of flags are run next |
//! | `retirement` | which flags that were given up still stay, and why |
//! | `session_revoker`, `session_revocations` | whose sessions are refused, and where that is kept |
//! | `expiry` | what a held split becomes at its end |
//! | `credentials`, `admin_token` | which credentials are accepted |
//! | `startup`, `recovery` | what a start serves, however little is left |
//! | `adopt`, `known_states`, `quarantine`, `stand_in` | from when on a database is used, which of
//! its rows are right, and what replaces the others |
//! | `maintenance` | what is tried again until it succeeds |
//! | `saving`, `folder`, `clock_watch`, `staleness`, `problems` | what is wrong now, and since when
//! |

mod admin_token;
mod adopt;
mod as_of;
mod catch_up;
mod clock_watch;
mod command;
mod commit;
mod credentials;
mod ended_admin_tokens;
mod execute;
mod expiry;
mod fast_path;
mod folder;
mod idempotency;
mod issuer_keys;
mod journal;
mod known_states;
mod lock_order;
mod maintenance;
mod problems;
mod publisher;
mod quarantine;
mod reconcile;
mod recovery;
mod replay;
mod retirement;
mod row_problem;
mod saving;
mod server_auth;
mod session_revocations;
mod session_revoker;
mod staging;
mod staleness;
mod stand_in;
mod startup;
mod startup_error;
mod store_handle;
mod test_queue;
mod unchanged;
mod witnesses;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

pub use admin_token::AdminTokenEnd;
pub use command::{CommandOutcome, CommandRejected, CommandRequest};
pub use credentials::{MAX_CREDENTIALS, MAX_REVOKED};
pub use issuer_keys::{IssuerKeys, KeysChanged, KeysRefused};
pub use problems::{Problem, ProblemKind, Problems, StandingProblem};
pub use reconcile::Ingested;
pub use recovery::{Forecast, forecast};
pub use session_revoker::SessionRevoker;
pub use staleness::Staleness;
pub use startup::OpenOptions;
pub use startup_error::StartupError;
pub use store_handle::{Database, StoreStatus};

use crate::auth::LocalAdmin;
use crate::clock::Clock;
use crate::data_dir::{DataDir, Journal};
use crate::definition::DefinitionSet;
use crate::flag::FlagKey;
use crate::ledger::EffectiveState;
use crate::live::Live;
use crate::moment::Deadline;
use crate::snapshot::Position;
use crate::store::{ExpectedHistory, Store};
use commit::Committer;
use fast_path::FastPath;
use lock_order::{AsyncLock, Lock};
use publisher::Publisher;
use store_handle::StoreHandle;
use witnesses::Witnesses;

/// The one way in for every change. Clones share it.
#[derive(Clone, Debug)]
pub struct Coordinator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    publisher: Publisher,
    store: StoreHandle,
    committer: AsyncLock<Committer>,
    fast_path: FastPath,
    witnesses: Witnesses,
    /// The definitions in the flags folder.
    definitions: Lock<DefinitionSet>,
    /// Who may ingest a reading of the folder.
    reconciling: AsyncLock<()>,
    /// One request under an idempotency key at a time.
    keys: idempotency::KeyTurns,
    local_admin: LocalAdmin,
    /// One check of `admin.token` at a time, and one revocation of its token.
    admin_token: AsyncLock<admin_token::AdminToken>,
    /// When held splits expire, by both clocks; the number tells one expiry of a flag from the
    /// next.
    ends: Lock<HashMap<FlagKey, (i64, Deadline)>>,
    problems: Arc<Problems>,
    saving: saving::Saving,
    revocations: session_revocations::SessionRevocations,
    /// Notified when an entry is pending, or an expiry comes nearer.
    wake: Notify,
    /// Notified when the last good state changes.
    changed: Notify,
    data: Arc<DataDir>,
    clock: Clock,
    observer: fn(&ControlEvent),
}

/// An event that gets a line in the log.
#[derive(Debug)]
pub enum ControlEvent {
    /// A position went live; these flags changed with it.
    Live { position: Position, changed: Vec<FlagKey> },
    /// This data folder holds no earlier state.
    FirstStart { data: String },
    /// A new problem, and what to do about it.
    Problem(Problem),
    /// What became of `admin.token`.
    AdminToken(&'static str),
    /// The database answers again; `pending` changes are about to be saved.
    Back { pending: usize },
    /// A file says something else than an operator's override.
    Drift {
        flag: FlagKey,
        file: String,
        live: String,
        by: String,
        at_ms: i64,
        reason: Option<String>,
    },
}

impl Coordinator {
    pub fn live(&self) -> &Arc<Live> {
        &self.0.publisher.live
    }

    pub fn problems(&self) -> &Arc<Problems> {
        &self.0.problems
    }

    /// The clock for expiries and credentials.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn staleness(&self) -> &Arc<Staleness> {
        &self.0.store.staleness
    }

    /// The effective state at this moment, for display. Nothing is copied, and later changes do not
    /// show in it.
    pub fn state(&self) -> Arc<EffectiveState> {
        self.0.publisher.shown()
    }

    /// How many bytes of the journal are in use by pending changes; `None` while it is being
    /// written, or where there is no journal.
    pub fn journal_used(&self) -> Option<usize> {
        self.0.fast_path.journal.try_lock()?.as_ref().map(Journal::used)
    }

    /// The data folder.
    pub fn data(&self) -> &Arc<DataDir> {
        &self.0.data
    }

    pub fn store_status(&self) -> StoreStatus {
        self.0.store.status()
    }

    /// What this node knows of the database's history, independent of what the database says:
    /// `history --verify` compares with it.
    pub fn last_known(&self) -> ExpectedHistory {
        let StoreStatus { epoch, saved_head, .. } = self.store_status();
        let served = Some(self.0.state().catalog.head).filter(|head| head.revision > 0);
        let newest = [saved_head, served].into_iter().flatten().max_by_key(|head| head.revision);
        ExpectedHistory { epoch, head: newest }
    }

    /// The database, for reading history; `None` while it is out of reach. Never waits for a
    /// commit.
    pub fn store(&self) -> Option<Arc<Store>> {
        self.0.store.get()
    }

    /// Tries a lost database at once, not only at the next interval.
    pub fn look_again(&self) {
        self.0.wake.notify_one();
    }

    /// The number of every revision committed from now on; a slow receiver sees the latest.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.0.publisher.revisions.subscribe()
    }

    /// Replaces the problems of this kind. For the parts that follow the revisions.
    pub fn report(&self, kind: ProblemKind, troubles: Vec<Problem>) {
        self.0.trouble(kind, troubles);
    }
}

impl Inner {
    fn trouble(&self, kind: ProblemKind, troubles: Vec<Problem>) {
        for trouble in self.problems.set(kind, troubles) {
            (self.observer)(&ControlEvent::Problem(trouble));
        }
    }
}

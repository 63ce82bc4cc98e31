//! The write path: every change goes through the [`Coordinator`]. Floor 3.
//!
//! A file edit, an operator's command and the end of a held split become changes here. They are
//! committed, swapped in, announced and only then acknowledged (law 7). A narrowing change is
//! journaled and swapped in first, and committed beside that.
//!
//! | owner | what it owns | file |
//! |---|---|---|
//! | `Publisher` | what is known, and what is live | `publisher` |
//! | `StoreHandle` | the database that is served, for reading and for the committer | `store_handle` |
//! | `Committer` | who may commit: one revision at a time | `commit`, `replay`, `catch_up` |
//! | `FastPath` | narrowing changes until they are committed: the journal and who waits | `fast_path`, `journal` |
//! | `Witnesses` | what is kept beside the database, and what that said at the start | `witnesses` |
//!
//! The order in which their locks are taken stands in `lock_order`.
//!
//! | file | what it decides |
//! |---|---|
//! | `command` | what an operator can ask for, and what can come of it |
//! | `execute` | which way a command takes: the fast path if it narrows, else the committer |
//! | `idempotency`, `as_of` | what a command under the same key did before, and what a rollback goes back to |
//! | `reconcile`, `test_queue` | what a reading of the flags folder changes, and which tests of flags are run next |
//! | `expiry` | what a held split becomes at its end |
//! | `credentials`, `admin_token` | which credentials are accepted |
//! | `startup`, `recovery` | what a start serves, however little is left |
//! | `adopt`, `known_states`, `quarantine`, `stand_in` | from when on a database is served, which of its rows are right, and what stands for the others |
//! | `maintenance` | what is tried again until it succeeds |
//! | `saving`, `folder`, `clock_watch`, `staleness`, `problems` | what is wrong at the moment, and since when |

mod admin_token;
mod adopt;
mod as_of;
mod catch_up;
mod clock_watch;
mod command;
mod commit;
mod credentials;
mod execute;
mod expiry;
mod fast_path;
mod folder;
mod idempotency;
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
mod saving;
mod staging;
mod staleness;
mod stand_in;
mod startup;
mod store_handle;
mod test_queue;
mod witnesses;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

pub use admin_token::AdminTokenEnd;
pub use command::{CommandOutcome, CommandRejected, CommandRequest};
pub use credentials::{MAX_CREDENTIALS, MAX_REVOKED};
pub use problems::{Problem, ProblemKind, Problems, StandingProblem};
pub use reconcile::Ingested;
pub use staleness::Staleness;
pub use startup::{OpenOptions, StartupError};
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
    /// What the flags folder says.
    library: Lock<DefinitionSet>,
    /// Who may take in a reading of the folder.
    reconciling: AsyncLock<()>,
    /// One request under an idempotency key at a time.
    keys: idempotency::KeyTurns,
    local_admin: LocalAdmin,
    /// One look at `admin.token` at a time, and one end of what it holds.
    admin_token: AsyncLock<admin_token::AdminToken>,
    /// The ends of held splits, each with the wall-clock time that it was first seen by.
    ends: Lock<HashMap<FlagKey, (i64, Deadline)>>,
    problems: Arc<Problems>,
    saving: saving::Saving,
    /// Told when something is pending, or an end comes nearer.
    wake: Notify,
    /// Told when the last good state is another.
    changed: Notify,
    data: Arc<DataDir>,
    clock: Clock,
    observer: fn(&ControlEvent),
}

/// What is worth a line in the log.
#[derive(Debug)]
pub enum ControlEvent {
    /// A position went live; these flags changed with it.
    Live { position: Position, changed: Vec<FlagKey> },
    /// Nothing was ever known in this data folder.
    FirstStart { data: String },
    /// Something went wrong, and what to do.
    Problem(Problem),
    /// What became of `admin.token`.
    AdminToken(&'static str),
    /// The database answers again; how many pending changes are to be saved.
    Back { pending: usize },
    /// A file says something else than what an operator holds.
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

    /// What ends and credentials go by.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn staleness(&self) -> &Arc<Staleness> {
        &self.0.store.staleness
    }

    /// What is known at this moment, to be shown. Nothing is copied, and what changes later does
    /// not show in it.
    pub fn truth(&self) -> Arc<EffectiveState> {
        self.0.publisher.shown()
    }

    /// How many bytes of the journal pending changes take; `None` while it is being written to, or
    /// there is none.
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

    /// What is known here of the database, whatever it says itself: what `history --verify`
    /// compares with.
    pub fn last_known(&self) -> ExpectedHistory {
        let StoreStatus { epoch, kept, .. } = self.store_status();
        let served = Some(self.0.state().book.head).filter(|head| head.revision > 0);
        let newest = [kept, served].into_iter().flatten().max_by_key(|head| head.revision);
        ExpectedHistory { epoch, head: newest }
    }

    /// The database, for reading the past; `None` while it is out of reach. It waits for no commit.
    pub fn store(&self) -> Option<Arc<Store>> {
        self.0.store.get()
    }

    /// Has a lost database tried at once, not at the next turn.
    pub fn look_again(&self) {
        self.0.wake.notify_one();
    }

    /// Every revision committed from now on; a slow listener hears the latest.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.0.publisher.revisions.subscribe()
    }

    /// For whoever follows the revisions: what is wrong with that now, in the place of what was.
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

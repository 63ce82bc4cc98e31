//! The write path: every change goes through the [`Coordinator`]. Floor 3.
//!
//! A file edit, an operator's command and the expiry of a held split become changes here. They are
//! committed, swapped in, announced and only then acknowledged (law 7). A narrowing change is
//! journaled and committed concurrently, and swapped in with the first of the two.
//!
//! | owner | what it owns | file |
//! |---|---|---|
//! | `ServedState` | the effective state, and the live snapshot | `served_state`, `go_live` |
//! | `StoreHandle` | the database in use, for reads and for the committer | `store_handle`, `database_status` |
//! | `Committer` | the right to commit: one revision at a time | `committer`, `commit`, `replay`, `catch_up` |
//! | `FastPath` | narrowing changes until they are committed | `fast_path`, `apply_pending`, `journal`, `late_journal` |
//! | `Witnesses` | the copies beside the database, and what they held at the start | `witnesses`, `copies` |
//!
//! `coordinator` holds them together. `lock_order` states the order in which their locks are taken.
//!
//! | file | what it decides |
//! |---|---|
//! | `command` | what an operator can ask for, and the possible outcomes |
//! | `execute` | which way a command takes: the fast path if it narrows, else the committer |
//! | `unsettled` | which changes may still land, and which commands came before a change of their flag |
//! | `expected_revision` | what changed since the state that a caller saw |
//! | `idempotency`, `as_of` | what a command under the same key did before, and what a rollback goes back to |
//! | `follow_folder`, `reconcile`, `commit_files`, `folder_problems` | when a reading of the flags folder is taken in, what it changes, how that is committed, and what waits |
//! | `test_queue` | which tests of flags are run next |
//! | `retirement` | which flags that were given up still stay, and why |
//! | `session_revoker`, `session_revocations` | whose sessions are refused, and where that is kept |
//! | `expiry` | what a held split becomes at its end |
//! | `credentials`, `admin_token` | which credentials are accepted |
//! | `startup`, `recovery` | what a start serves, however little is left |
//! | `adopt`, `known_states` | from when on a database is used |
//! | `quarantine`, `stand_in` | which of its rows are right, and what replaces the others |
//! | `maintenance` | what is tried again until it succeeds |
//! | `reopen` | when a lost database is used again |
//! | `saving`, `disk`, `folder`, `clock_watch`, `staleness`, `problems` | what is wrong now |

mod admin_token;
mod admin_token_state;
mod adopt;
mod apply_pending;
mod as_of;
mod catch_up;
mod clock_watch;
mod command;
mod commit;
mod commit_files;
mod committer;
mod coordinator;
mod copies;
mod credentials;
mod database_status;
mod disk;
mod disk_check;
mod ended_admin_tokens;
mod event;
mod execute;
mod expected_revision;
mod expiry;
mod fast_path;
mod folder;
mod folder_change;
mod folder_problems;
mod follow_folder;
mod go_live;
mod idempotency;
mod issuer_keys;
mod journal;
mod key_locks;
mod known_states;
mod late_journal;
mod lock_order;
mod maintenance;
mod problems;
mod quarantine;
mod reconcile;
mod recovery;
mod reopen;
mod replay;
mod retirement;
mod row_problem;
mod saving;
mod served_state;
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
mod unsettled;
mod witnesses;

pub use admin_token_state::AdminTokenEnd;
pub use command::{CommandOutcome, CommandRejected, CommandRequest};
pub use coordinator::Coordinator;
pub use credentials::{MAX_CREDENTIALS, MAX_REVOKED};
pub use event::ControlEvent;
pub use follow_folder::Ingested;
pub use issuer_keys::{IssuerKeys, KeysChanged, KeysRefused};
pub use problems::{Problem, ProblemKind, Problems, StandingProblem};
pub use recovery::{Forecast, forecast};
pub use session_revoker::SessionRevoker;
pub use staleness::Staleness;
pub use startup::OpenOptions;
pub use startup_error::StartupError;
pub use store_handle::{Database, StoreStatus};

use coordinator::Inner;

//! The one corridor for change. Floor 3.
//!
//! An edit of the folder, an operator's order and the end of a held split all become changes here, are committed, and enter by the same
//! `refresh`: the store's revision with the pending entries laid over it. Commit, swap, announce, acknowledge, in this order (law 7); only
//! what narrows is journaled and swapped first.
//!
//! | file | what it decides |
//! |---|---|
//! | `lane` | what is committed, one revision at a time |
//! | `orders` | which way an operator's order takes |
//! | `narrow` | what is live before it is committed |
//! | `reconcile` | what a reading of the folder changes |
//! | `test_queue` | which tests of flags are run next |
//! | `start` | what is served first |
//! | `recovery` | what that is, however little is left |
//! | `believe` | from when on a database is served |
//! | `quarantine` | what stands for a row that does not read |
//! | `saving` | what is told while it cannot be saved |
//! | `ends` | what a held split becomes at its end |
//! | `leaps` | whether the clock can be believed |
//! | `keeper` | what is tried again |
//! | `journal` | what is written to the journal, and whether a start would find it |
//! | `folder` | whether what is held open is still at its path |
//! | `credentials` | who is good from now on, and who is not |
//! | `admin_token` | which token of the data folder is accepted |

mod admin_token;
mod believe;
mod contact;
mod credentials;
mod ends;
mod folder;
mod journal;
mod keeper;
mod lane;
mod leaps;
mod narrow;
mod order;
mod orders;
mod problems;
mod quarantine;
mod reconcile;
mod recovery;
mod saving;
mod staging;
mod start;
mod test_queue;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot, watch};

pub use admin_token::AdminTokenEnd;
pub use contact::Contact;
pub use credentials::{MAX_CREDENTIALS, MAX_REVOKED};
pub use order::{Done, Order, Rejected};
pub use problems::{Problems, Standing as StandingTrouble, Trouble, TroubleKind};
pub use reconcile::TakenIn;
pub use start::{Opening, StartFault};

use crate::clock::Clock;
use crate::data::{DataFolder, Journal, LastGoodFile};
use crate::definition::Library;
use crate::flag::FlagKey;
use crate::live::Live;
use crate::moment::Deadline;
use crate::snapshot::Position;
use crate::store::{Kept, Store};
use crate::token::{Credentials, LocalAdmin};
use crate::truth::{Credential, Head, KnownHead, Truth, Unknown};
use recovery::Copies;

/// Lets one change through at a time, and keeps what it needs for that.
#[derive(Clone, Debug)]
pub struct Corridor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    live: Arc<Live>,
    problems: Arc<Problems>,
    contact: Arc<Contact>,
    /// What is known: held for moments, never across an `await`.
    truth: Mutex<Arc<Truth>>,
    library: Mutex<Library>,
    /// Whoever holds it may take in a reading of the folder.
    reconciling: tokio::sync::Mutex<()>,
    /// Whoever holds it may commit.
    lane: Arc<tokio::sync::Mutex<Lane>>,
    /// Whoever holds it may narrow.
    narrow: tokio::sync::Mutex<()>,
    journal: Arc<tokio::sync::Mutex<Option<Journal>>>,
    /// The names of pending entries that a start would find.
    journaled: Mutex<HashSet<String>>,
    /// The newest state that this data folder is known to have had.
    known: Mutex<Option<KnownHead>>,
    /// What the copies beside the database said at the start; `None` once a database was believed, as memory says it from then on.
    copies: Mutex<Option<Copies>>,
    last_good: Mutex<LastGoodFile>,
    /// In which of the data folders held one after another a database was believed last.
    believed_in: AtomicU64,
    /// Whether pages of the database were found to be damaged while it was served.
    is_unsound: AtomicBool,
    /// What a newer build wrote into the last good state beside what this one knows.
    kept_beside: Unknown,
    /// What was wrong with the files of the data folder at the start, as far as that is told on.
    found_at_start: Mutex<Vec<Trouble>>,
    /// The newest revision that was made of an entry of the journal.
    replayed: AtomicU64,
    /// Entries that are committed and may still stand in the journal.
    committed_entries: Mutex<BTreeSet<String>>,
    /// Pending entries that got their names here and that no commit was tried of: no database can know them.
    untried: Mutex<HashSet<String>>,
    /// Who waits for a pending entry to be committed, by its name.
    waiting: Mutex<HashMap<String, oneshot::Sender<u64>>>,
    standing: Mutex<Standing>,
    credentials: watch::Sender<Arc<Credentials>>,
    local_admin: LocalAdmin,
    /// Whoever holds it may look at `admin.token`, or end what it holds.
    admin_token: tokio::sync::Mutex<admin_token::AdminToken>,
    /// Told when something is pending, or an end comes nearer.
    wake: Notify,
    /// Told when the last good state is another.
    changed: Notify,
    revisions: watch::Sender<u64>,
    saving: saving::Saving,
    data: Arc<DataFolder>,
    clock: Clock,
    /// The ends of held splits, each with the time of the wall clock that it was learned by.
    ends: Mutex<HashMap<FlagKey, (i64, Deadline)>>,
    tell: fn(&News),
}

/// What committing needs.
#[derive(Debug, Default)]
struct Lane {
    /// `None` while it is out of reach or not to be written.
    store: Option<Arc<Store>>,
    /// The one that was lost last: it must be let go of before its files are opened again.
    lost: Option<Arc<Store>>,
    /// Credentials that it has in the form of older builds and not yet in a revision; `None` where that is done.
    old_tokens: Option<Vec<Credential>>,
}

/// How it stands with the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub database: Database,
    /// The database's name for itself, once it is known.
    pub epoch: Option<String>,
    /// The newest head that was kept on disk: what `history --verify` compares with.
    pub kept: Option<Head>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Up,
    /// Out of reach since then.
    Down {
        why: String,
        since_ms: i64,
    },
    /// Another one than before, or an older state of it: a person must decide.
    Held {
        why: String,
        since_ms: i64,
    },
}

/// What is worth a line.
#[derive(Debug)]
pub enum News {
    /// A position went live; these flags changed with it.
    Live { position: Position, changed: Vec<FlagKey> },
    /// Nothing was ever known in this data folder.
    FirstStart { data: String },
    /// Something went wrong, and what to do.
    Trouble(Trouble),
    /// What became of `admin.token`.
    AdminToken(&'static str),
    /// The database answers again; how many pending changes are to be saved.
    Back { pending: usize },
    /// A file says something else than what an operator holds.
    Drift { flag: FlagKey, file: String, live: String, by: String, at_ms: i64, reason: Option<String> },
}

impl Corridor {
    pub fn live(&self) -> &Arc<Live> {
        &self.0.live
    }

    pub fn problems(&self) -> &Arc<Problems> {
        &self.0.problems
    }

    /// What ends and credentials go by.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn contact(&self) -> &Arc<Contact> {
        &self.0.contact
    }

    /// What is known at this moment, to be shown. Nothing is copied, and what changes later does not show in it.
    pub fn truth(&self) -> Arc<Truth> {
        lock(&self.0.truth).clone()
    }

    /// How many bytes of the journal pending changes take; `None` while it is being written to, or there is none.
    pub fn journal_used(&self) -> Option<usize> {
        self.0.journal.try_lock().ok()?.as_ref().map(Journal::used)
    }

    /// The data folder.
    pub fn data(&self) -> &Arc<DataFolder> {
        &self.0.data
    }

    pub fn standing(&self) -> Standing {
        lock(&self.0.standing).clone()
    }

    /// What is known here of the database, whatever it says itself: what `history --verify` compares with.
    pub fn kept(&self) -> Kept {
        let standing = self.standing();
        let served = Some(self.0.truth().book.head).filter(|head| head.revision > 0);
        let newest = [standing.kept, served].into_iter().flatten().max_by_key(|head| head.revision);
        Kept { epoch: standing.epoch, head: newest }
    }

    /// The database, for reading the past; `None` while it is out of reach.
    pub async fn store(&self) -> Option<Arc<Store>> {
        let lane = tokio::time::timeout(lane::READ, self.0.lane.lock()).await.ok()?;
        lane.store.clone()
    }

    /// Has a lost database tried at once, not at the next turn.
    pub fn look_again(&self) {
        self.0.wake.notify_one();
    }

    /// Every revision committed from now on; a slow listener hears the latest.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.0.revisions.subscribe()
    }

    /// For whoever follows the revisions: what is wrong with that now, in the place of what was.
    pub fn report(&self, kind: TroubleKind, troubles: Vec<Trouble>) {
        self.0.trouble(kind, troubles);
    }
}

/// What is known, for reading and changing. A change copies it only while a reader shares it.
struct State<'a>(MutexGuard<'a, Arc<Truth>>);

impl Deref for State<'_> {
    type Target = Truth;

    fn deref(&self) -> &Truth {
        &self.0
    }
}

impl DerefMut for State<'_> {
    fn deref_mut(&mut self) -> &mut Truth {
        Arc::make_mut(&mut self.0)
    }
}

impl Inner {
    fn truth(&self) -> State<'_> {
        State(lock(&self.truth))
    }

    /// The only way state ever enters: what is known now becomes a snapshot, which is swapped in and then announced.
    fn refresh(&self, truth: &Truth) {
        let credentials = self.credentials.borrow().next(truth, self.clock.now());
        if let Some(credentials) = credentials {
            self.look_at_ends(&credentials);
            self.credentials.send_replace(Arc::new(credentials));
        }
        // A flag that nobody has heard of is answered `polling` for as long as no flag was ever recorded, whatever else was.
        if truth.has_no_flags() && self.live.current().is_cold() {
            return;
        }
        let current = self.live.current().clone();
        let (snapshot, changed) = current.next(truth.position(), truth.standings().into_iter());
        let position = snapshot.position();
        if self.live.publish(snapshot) {
            (self.tell)(&News::Live { position, changed });
        }
    }

    fn trouble(&self, kind: TroubleKind, troubles: Vec<Trouble>) {
        for trouble in self.problems.set(kind, troubles) {
            (self.tell)(&News::Trouble(trouble));
        }
    }
}

/// A panic inside leaves the state between two changes at worst: what comes next is laid over it all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The coordinator, and what its parts share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::{Notify, watch};

use super::admin_token_state::AdminToken;
use super::committer::Committer;
use super::disk_check::DiskCheck;
use super::event::ControlEvent;
use super::fast_path::FastPath;
use super::key_locks::KeyLocks;
use super::lock_order::{AsyncLock, Lock};
use super::problems::{Problem, ProblemKind, Problems};
use super::served_state::ServedState;
use super::session_revocations::SessionRevocations;
use super::staleness::Staleness;
use super::store_handle::{StoreHandle, StoreStatus};
use super::unsettled::Unsettled;
use super::witnesses::Witnesses;
use crate::auth::LocalAdmin;
use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::definition::DefinitionSet;
use crate::flag::FlagKey;
use crate::ledger::EffectiveState;
use crate::live::Live;
use crate::moment::Deadline;
use crate::store::{ExpectedHistory, Store};
use crate::time_limit::OneAtATime;

/// The one way in for every change. Clones share it.
#[derive(Clone, Debug)]
pub struct Coordinator(pub(super) Arc<Inner>);

/// What the files of the write path share: each adds what it does.
#[derive(Debug)]
pub(super) struct Inner {
    pub served: ServedState,
    pub store: StoreHandle,
    pub committer: AsyncLock<Committer>,
    pub fast_path: FastPath,
    pub unsettled: Unsettled,
    pub witnesses: Witnesses,
    /// The definitions in the flags folder.
    pub definitions: Lock<DefinitionSet>,
    /// Who may ingest a reading of the folder.
    pub reconciling: AsyncLock<()>,
    /// One request under an idempotency key at a time.
    pub keys: KeyLocks,
    pub local_admin: LocalAdmin,
    /// One check of `admin.token` at a time, and one revocation of its token.
    pub admin_token: AsyncLock<AdminToken>,
    /// How many readings of the folder were taken in.
    pub readings: AtomicU64,
    /// Whether the files are to be compared with the state again, though none was saved.
    pub compare_files: AtomicBool,
    /// When held splits expire, by both clocks; the number tells one expiry of a flag from the
    /// next.
    pub ends: Lock<HashMap<FlagKey, (i64, Deadline)>>,
    pub problems: Arc<Problems>,
    /// Why the last commit was refused, until one is taken.
    pub refused: Lock<Option<String>>,
    pub disk: DiskCheck,
    /// One look at the data folder at a time: it may hang.
    pub folder_check: OneAtATime<Result<(), String>>,
    pub revocations: SessionRevocations,
    /// Notified when `maintenance` has something to do: a pending entry, an expiry that widens.
    pub wake: Notify,
    /// Notified when a held split has got an end, or another one.
    pub ends_changed: Notify,
    /// Whether an expiry that widens is due.
    pub ends_widen: AtomicBool,
    /// Notified when the last good state is to be written anew.
    pub changed: Notify,
    pub data: Arc<DataDir>,
    pub clock: Clock,
    pub observer: fn(&ControlEvent),
}

impl Coordinator {
    pub fn live(&self) -> &Arc<Live> {
        &self.0.served.live
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
        self.0.served.shown()
    }

    /// How many bytes of the journal pending changes take; `None` where there is no journal.
    pub fn journal_used(&self) -> Option<usize> {
        self.0.fast_path.journal_used()
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
        self.0.served.revisions.subscribe()
    }

    /// Replaces the problems of this kind. For the parts that follow the revisions.
    pub fn report(&self, kind: ProblemKind, troubles: Vec<Problem>) {
        self.0.trouble(kind, troubles);
    }
}

impl Inner {
    /// Replaces the problems of this kind, and tells of new ones.
    pub fn trouble(&self, kind: ProblemKind, troubles: Vec<Problem>) {
        for trouble in self.problems.set(kind, troubles) {
            (self.observer)(&ControlEvent::Problem(trouble));
        }
    }
}

//! Reads what is in the data folder, without changing it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::found::{
    Base, Copies, CopiesInHistory, CopyState, Database, Decision, Foreign, Journal,
};
use crate::count::count;
use crate::data_dir::{DataDir, FoundJournal, FoundLastGood, LastGood, LastGoodFile};
use crate::ledger::{Credential, Doubt, Doubted};
use crate::store::{Identity, Store, StoreError};

const IS_FOREIGN: &str = "is of another history than the database and the journal, which agree";

/// The files beside the database.
pub(in super::super) struct FilesFound {
    pub last_good: FoundLastGood,
    pub earlier: FoundLastGood,
    pub journal: FoundJournal,
}

impl FilesFound {
    pub fn look(data: &DataDir) -> (LastGoodFile, FilesFound) {
        let (file, last_good, earlier) = LastGoodFile::look(&data.last_good());
        (file, FilesFound { last_good, earlier, journal: data.look_at_journal() })
    }

    /// Every credential in a kept state: each revocation in any of them counts.
    pub fn credentials(&self) -> impl Iterator<Item = Credential> {
        let of = |found: &FoundLastGood| match found {
            FoundLastGood::Good(kept) => kept.tokens.clone(),
            _ => Vec::new(),
        };
        of(&self.last_good).into_iter().chain(of(&self.earlier))
    }

    /// The kept state that is a base.
    pub fn state_of(&self, base: Option<Base>) -> Option<&LastGood> {
        match (base, &self.last_good, &self.earlier) {
            (Some(Base::LastGood), FoundLastGood::Good(kept), _)
            | (Some(Base::Earlier), _, FoundLastGood::Good(kept)) => Some(kept),
            _ => None,
        }
    }

    /// The readable kept states: the rows of a database are compared with them, as far as its
    /// history contains them.
    pub fn kept_states(&self) -> Vec<&LastGood> {
        [Some(Base::LastGood), Some(Base::Earlier)]
            .into_iter()
            .filter_map(|base| self.state_of(base))
            .collect()
    }

    /// A journal without a header has the earlier format, unless another file is from a build that
    /// writes the present one: then its content was lost. Returns whether that is so.
    pub fn doubt_blank_journal(&mut self, database: &DatabaseFound) -> bool {
        let is_written_by_this = match &self.last_good {
            FoundLastGood::Good(last_good) => !last_good.is_of_format_before(),
            _ => false,
        };
        let is_of_this_format = matches!(database, DatabaseFound::Good { identity, .. } if !identity.is_of_format_before);
        let FoundJournal::Old(contents) = &self.journal else { return false };
        if !(is_written_by_this || is_of_this_format) {
            return false;
        }
        let contents = contents.clone().in_doubt();
        self.journal = FoundJournal::Damaged { contents, why: "has lost its content".to_owned() };
        true
    }

    /// Treats files of another history as damaged.
    pub fn leave_out(&mut self, foreign: Foreign) {
        let damaged = || FoundLastGood::Damaged { known: None, why: IS_FOREIGN.to_owned() };
        if foreign.last_good {
            self.last_good = damaged();
        }
        if foreign.earlier {
            self.earlier = damaged();
        }
    }

    pub fn copies(&self, data: &DataDir) -> Copies {
        let contents = self.journal.contents();
        let is_of_newer_build = matches!(self.journal, FoundJournal::OfNewerBuild { .. });
        let doubt = contents.map(|contents| contents.doubt.clone()).unwrap_or_default();
        let journal = Journal {
            known: contents.and_then(|contents| contents.known.clone()),
            doubt: if is_of_newer_build { Doubt::ALL } else { doubt },
        };
        let last_good = witness(&self.last_good);
        let earlier = witness(&self.earlier);
        let is_fresh = match &self.journal {
            FoundJournal::Absent => true,
            FoundJournal::Good(contents) => contents.is_fresh(),
            FoundJournal::Old(_)
            | FoundJournal::Damaged { .. }
            | FoundJournal::OfNewerBuild { .. } => false,
        };
        let is_anything_ours = !is_fresh
            || last_good != CopyState::Absent
            || earlier != CopyState::Absent
            || data.holds_anything_damaged()
            || Store::leaves_sqlite(&data.database());
        Copies { last_good, earlier, journal, is_anything_ours }
    }
}

fn witness(found: &FoundLastGood) -> CopyState {
    match found {
        FoundLastGood::Absent => CopyState::Absent,
        FoundLastGood::Good(last_good) => CopyState::Good(last_good.known()),
        FoundLastGood::Damaged { known, .. } => CopyState::Damaged(known.clone()),
        FoundLastGood::OfNewerBuild { .. } => CopyState::OfNewerBuild,
    }
}

/// What was found in the place of the database.
pub(in super::super) enum DatabaseFound {
    Absent,
    Good {
        identity: Identity,
        /// Opened for reading only.
        store: Arc<Store>,
        holds: CopiesInHistory,
        /// The check of its pages, if that takes longer than a start may.
        pages: Option<JoinHandle<Result<(), StoreError>>>,
    },
    Damaged(String),
    /// Its content is unknown: another program may have locked it just now.
    OutOfReach(String),
    OfNewerBuild(String),
}

impl DatabaseFound {
    pub fn store(&self) -> Option<&Store> {
        match self {
            DatabaseFound::Good { store, .. } => Some(store),
            _ => None,
        }
    }

    pub fn witness(&self) -> Database {
        match self {
            DatabaseFound::Absent => Database::Absent,
            DatabaseFound::Good { identity: Identity { known, fault, .. }, holds, .. } => {
                Database::Good { known: known.clone(), holds: *holds, is_whole: fault.is_none() }
            }
            DatabaseFound::Damaged(_) | DatabaseFound::OutOfReach(_) => Database::Damaged,
            DatabaseFound::OfNewerBuild(_) => Database::OfNewerBuild,
        }
    }

    /// Why it is not used.
    pub fn why(&self) -> String {
        match self {
            DatabaseFound::Absent => "the database is not there".to_owned(),
            DatabaseFound::Good { .. } => "the database is not the newest state".to_owned(),
            DatabaseFound::Damaged(why)
            | DatabaseFound::OutOfReach(why)
            | DatabaseFound::OfNewerBuild(why) => why.clone(),
        }
    }
}

/// Reads the database without changing it. Its pages are checked for up to `patience`; a longer
/// check goes on in the background.
pub(in super::super) async fn look_at_database(
    path: &Path,
    copies: &Copies,
    patience: Duration,
) -> DatabaseFound {
    match try_to_look(path, copies, patience).await {
        Ok(found) => found,
        Err(StoreError::NoFile) => DatabaseFound::Absent,
        Err(error @ StoreError::OfNewerBuild { .. }) => DatabaseFound::OfNewerBuild(error.chain()),
        Err(error) if error.is_damage() => DatabaseFound::Damaged(error.chain()),
        Err(error) => DatabaseFound::OutOfReach(error.chain()),
    }
}

async fn try_to_look(
    path: &Path,
    copies: &Copies,
    patience: Duration,
) -> Result<DatabaseFound, StoreError> {
    let store = Arc::new(Store::open_sqlite_to_read(path).await?);
    let named = copies.named();
    let identity = store.identify(&named.into_iter().flatten().collect::<Vec<_>>()).await?;
    let mut held = identity.holds.iter().copied();
    let [last_good, journal, earlier] =
        named.map(|named| named.is_none_or(|_| held.next().unwrap_or(false)));
    let (holds, is_whole) =
        (CopiesInHistory { last_good, journal, earlier }, identity.fault.is_none());
    let database = Database::Good { known: identity.known.clone(), holds, is_whole };
    if !is_whole || !database.descends(&copies.without_foreign(&database).0) {
        // It is not used as it is, whatever its pages say.
        return Ok(DatabaseFound::Good { identity, store, holds, pages: None });
    }
    let checked = store.clone();
    let mut checking = tokio::spawn(async move { checked.check_pages().await });
    let pages = match timeout(patience, &mut checking).await {
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(error))) => return Err(error),
        Ok(Err(_)) => {
            return Err(StoreError::Damaged(
                "the check of its pages ended with a panic".to_owned(),
            ));
        }
        Err(_) => Some(checking),
    };
    Ok(DatabaseFound::Good { identity, store, holds, pages })
}

/// Why the database is trusted in part or not at all, in one line.
pub(in super::super) fn why_held(
    found: &DatabaseFound,
    copies: &Copies,
    decision: &Decision,
) -> String {
    let descends = found.witness().descends(copies);
    let why = match (found, copies.known()) {
        (DatabaseFound::Good { identity: Identity { fault: Some(fault), .. }, .. }, _) => {
            format!("the database is not of one moment: {fault}")
        }
        (DatabaseFound::Good { identity: Identity { known: now, .. }, .. }, Some(known)) => {
            let (then, revision) = (known.head.revision, now.head.revision);
            match () {
                () if now.epoch != known.epoch => {
                    format!(
                        "the database is another one than the one this node served revision {then} from"
                    )
                }
                () if revision < then => {
                    format!(
                        "the database is at revision {revision}, and this node has served revision {then}: it is an older state"
                    )
                }
                () if !descends => {
                    format!("revision {then} of the database is not the one this node served")
                }
                () => unread(copies),
            }
        }
        (DatabaseFound::Good { .. }, None) => unread(copies),
        (found, _) => found.why(),
    };
    match decision {
        Decision::Hold { base: None, .. } => {
            format!("{why}; nothing else of what was known reads, so every flag answers `polling`")
        }
        Decision::Hold { doubt, .. } => {
            [why].into_iter().chain(in_doubt(doubt)).collect::<Vec<_>>().join("; ")
        }
        _ => why,
    }
}

/// What may be lost, and what is therefore done.
fn in_doubt(Doubt { flags, credentials }: &Doubt) -> impl Iterator<Item = String> {
    let of_flags = match flags {
        Doubted::None => None,
        Doubted::These(flags) => Some(format!(
            "the state of {} may be lost: served as stopped until the database is accepted",
            count(flags.len(), "flag")
        )),
        Doubted::All => {
            Some("its state may be lost, so every flag is served as stopped".to_owned())
        }
    };
    let of_credentials = match credentials {
        Doubted::None => None,
        Doubted::These(ids) => Some(format!("{} may have been revoked", count(ids.len(), "token"))),
        Doubted::All => Some("every token may have been revoked".to_owned()),
    };
    let of_credentials = of_credentials
        .map(|which| format!("{which}: only admin.token may do more than stop and lower until the database is accepted"));
    of_flags.into_iter().chain(of_credentials)
}

fn unread(copies: &Copies) -> String {
    match (&copies.last_good, copies.journal.doubt.is_none()) {
        (_, false) => "entries of pending.journal do not read".to_owned(),
        (CopyState::Damaged(_) | CopyState::OfNewerBuild, true) => {
            "last-good does not read, and nothing else says that the database is the newest state".to_owned()
        }
        _ => "last-good is gone, and last-good.1 says that there was a later state than the database's".to_owned(),
    }
}

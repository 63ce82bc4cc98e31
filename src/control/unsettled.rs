//! Which flags a commit may still open: one that is under way, or one whose outcome is not known.
//!
//! A stop that finds its flag stopped changes nothing, and yet it must hold when such a commit has
//! landed. And a command that opens a flag must not land after a stop that it did not see.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use super::lock_order::Lock;
use crate::flag::FlagKey;
use crate::ledger::{Change, Subject};

/// The changes that are not settled.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    under_way: Lock<Vec<Weak<UnderWay>>>,
    /// The flags of commits whose outcome is not known. The database takes one writer at a time: once
    /// it took another commit, or refused one because its head had moved, they have landed or never
    /// will.
    unknown: Lock<HashSet<FlagKey>>,
}

/// A command from its arrival until its outcome; dropped with the last reference to it.
#[derive(Debug)]
pub(super) struct UnderWay {
    flags: HashSet<FlagKey>,
    is_overtaken: AtomicBool,
    is_changed: AtomicBool,
}

impl UnderWay {
    /// Whether one of its flags was stopped, or was to stay as it is, since it came.
    pub fn is_overtaken(&self) -> bool {
        self.is_overtaken.load(Relaxed)
    }

    /// Whether one of its flags was changed since it came.
    pub fn is_changed(&self) -> bool {
        self.is_changed.load(Relaxed)
    }

    fn has(&self, flag: &FlagKey) -> bool {
        self.flags.contains(flag)
    }
}

impl Unsettled {
    /// Notes that a command that may change these flags has come and is not committed yet.
    pub fn begin(&self, flags: impl IntoIterator<Item = FlagKey>) -> Arc<UnderWay> {
        let flags = flags.into_iter().collect();
        let under_way = Arc::new(UnderWay {
            flags,
            is_overtaken: AtomicBool::new(false),
            is_changed: AtomicBool::new(false),
        });
        let mut known = self.under_way.lock();
        known.retain(|one| one.strong_count() > 0);
        known.push(Arc::downgrade(&under_way));
        under_way
    }

    /// Says of a flag whether a commit may still open it, other than that of `own`.
    pub fn may_open(&self, own: Option<&Arc<UnderWay>>) -> impl Fn(&FlagKey) -> bool {
        let (living, unknown) = (self.living_but(own), self.unknown.lock());
        move |flag| unknown.contains(flag) || living.iter().any(|one| one.has(flag))
    }

    /// Notes that these flags are stopped, or are to stay as they are: what is under way, other than
    /// `own`, did not see it.
    pub fn overtake<'a>(
        &self,
        flags: impl Iterator<Item = &'a FlagKey>,
        own: Option<&Arc<UnderWay>>,
    ) {
        let living = self.living_but(own);
        if living.is_empty() {
            return;
        }
        for flag in flags {
            living.iter().filter(|one| one.has(flag)).for_each(|one| {
                one.is_overtaken.store(true, Relaxed);
            });
        }
    }

    /// Notes that these flags change, for all that is under way. The caller holds the lock of the
    /// state that changes.
    pub fn note_changed<'a>(&self, flags: impl Iterator<Item = &'a FlagKey>) {
        let living = self.living_but(None);
        if living.is_empty() {
            return;
        }
        for flag in flags {
            living.iter().filter(|one| one.has(flag)).for_each(|one| {
                one.is_changed.store(true, Relaxed);
            });
        }
    }

    /// Notes that it is not known whether a commit landed.
    pub fn lose(&self, commit: &UnderWay) {
        self.unknown.lock().extend(commit.flags.iter().cloned());
    }

    /// Whether a commit may still land whose outcome is not known.
    pub fn has_unknown(&self) -> bool {
        !self.unknown.lock().is_empty()
    }

    /// Notes that the database took a later commit, or says that its head moved.
    pub fn settle(&self) {
        self.unknown.lock().clear();
    }

    fn living_but(&self, own: Option<&Arc<UnderWay>>) -> Vec<Arc<UnderWay>> {
        let is_own = |one: &Arc<UnderWay>| own.is_some_and(|own| Arc::ptr_eq(own, one));
        let known = self.under_way.lock();
        known.iter().filter_map(Weak::upgrade).filter(|one| !is_own(one)).collect()
    }
}

/// The flags among what a revision changes.
pub(super) fn flags_of(changes: &[Change]) -> impl Iterator<Item = &FlagKey> {
    changes.iter().filter_map(|change| match &change.subject {
        Subject::Flag(flag) => Some(flag),
        _ => None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_may_open_until_its_commit_has_landed_or_never_will() {
        let (unsettled, flag) = (Unsettled::default(), "f".parse::<FlagKey>().unwrap());
        let other: FlagKey = "g".parse().unwrap();
        assert!(!unsettled.may_open(None)(&flag));
        let commit = unsettled.begin([flag.clone()]);
        assert!(!unsettled.may_open(Some(&commit))(&flag), "its own commit");
        assert!(unsettled.may_open(None)(&flag) && !unsettled.may_open(None)(&other));
        unsettled.overtake([&other].into_iter(), None);
        unsettled.overtake([&flag].into_iter(), Some(&commit));
        assert!(!commit.is_overtaken());
        unsettled.overtake([&other, &flag].into_iter(), None);
        assert!(commit.is_overtaken());
        unsettled.lose(&commit);
        drop(commit);
        assert!(unsettled.may_open(None)(&flag) && unsettled.has_unknown());
        unsettled.settle();
        assert!(!unsettled.may_open(None)(&flag) && !unsettled.has_unknown());
    }
}

//! What is wrong now: with the files, and with everything else.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::lock_order::Lock;
use crate::clock;
use crate::definition::Finding;

/// The findings of the last reading, and the current problems.
#[derive(Debug, Default)]
pub struct Problems {
    findings: ArcSwap<Vec<Finding>>,
    /// When each finding first appeared, in the order of the findings.
    found_at_ms: ArcSwap<Vec<i64>>,
    troubles: ArcSwap<Vec<StandingProblem>>,
    /// Locked by each writer: changes come from several threads, and none may undo another's.
    setting: Lock<()>,
}

/// A problem that is current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingProblem {
    pub trouble: Problem,
    /// Since when its subject has had a problem of this kind, in milliseconds since 1970.
    pub since_ms: i64,
}

/// A fault that no file causes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    pub kind: ProblemKind,
    /// The flag or segment it is about.
    pub subject: Option<String>,
    pub message: String,
    pub hint: String,
}

impl Deref for StandingProblem {
    type Target = Problem;

    fn deref(&self) -> &Problem {
        &self.trouble
    }
}

/// The kinds of problems. All problems of one kind are replaced together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProblemKind {
    Database,
    DataFolder,
    Journal,
    LastGood,
    PoisonRow,
    FilesWait,
    /// A flag's new form waits for its tests.
    TestsRun,
    /// A large change is being written, and how far that is.
    Saving,
    MissingFile,
    /// The disk or mount of the flags folder does not answer.
    FlagsFolder,
    ExpiryWouldWiden,
    AdminToken,
    TokenEnds,
    Webhook,
    /// Changes that are live and not saved, or that were refused because they could not be saved.
    Unsaved,
    /// The data folder's disk is nearly full.
    DiskSpace,
    /// Other users than the owner may write to the data folder.
    FolderRights,
    SessionKeys,
    ServerKeys,
    /// The keys of our own issuer.
    IssuerKeys,
    /// The wall clock was changed by more than a little.
    Clock,
    /// The database of events cannot be used, or not be written.
    EventsUnavailable,
    /// Kept events take nearly as much as they may.
    EventsFull,
    /// A flag's events will be kept for less long, a day after its file said so.
    RetentionShortened,
    /// Whose sessions were revoked does not read, cannot be written, or is nearly too much.
    RevokedSessions,
    /// Server-auth mode answers `polling` for every `realtime-v2`.
    ServerAuth,
    /// A page asked whose origin is not listed.
    UnlistedOrigin,
    /// Credentials come, and no keys are set to check them with.
    NoKeys,
    /// Clients send an attribute as another type than its flag declares.
    MistypedAttribute,
}

impl ProblemKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ProblemKind::Database => "database",
            ProblemKind::DataFolder => "data-folder",
            ProblemKind::Journal => "journal",
            ProblemKind::LastGood => "last-good",
            ProblemKind::PoisonRow => "poison-row",
            ProblemKind::FilesWait => "files-wait",
            ProblemKind::TestsRun => "tests-run",
            ProblemKind::Saving => "saving",
            ProblemKind::MissingFile => "missing-file",
            ProblemKind::FlagsFolder => "flags-folder",
            ProblemKind::ExpiryWouldWiden => "expiry-would-widen",
            ProblemKind::AdminToken => "admin-token",
            ProblemKind::TokenEnds => "token-ends",
            ProblemKind::Webhook => "webhook",
            ProblemKind::Unsaved => "unsaved",
            ProblemKind::DiskSpace => "disk-space",
            ProblemKind::FolderRights => "folder-rights",
            ProblemKind::SessionKeys => "session-keys",
            ProblemKind::ServerKeys => "server-keys",
            ProblemKind::IssuerKeys => "issuer-keys",
            ProblemKind::Clock => "clock",
            ProblemKind::EventsUnavailable => "events-unavailable",
            ProblemKind::EventsFull => "events-full",
            ProblemKind::RetentionShortened => "retention-shortened",
            ProblemKind::RevokedSessions => "revoked-sessions",
            ProblemKind::ServerAuth => "server-auth",
            ProblemKind::UnlistedOrigin => "unlisted-origin",
            ProblemKind::NoKeys => "no-keys",
            ProblemKind::MistypedAttribute => "mistyped-attribute",
        }
    }
}

impl Problems {
    /// The current findings of files.
    pub fn current(&self) -> Arc<Vec<Finding>> {
        self.findings.load_full()
    }

    /// The current problems.
    pub fn troubles(&self) -> Arc<Vec<StandingProblem>> {
        self.troubles.load_full()
    }

    /// Whether there is a problem of this kind.
    pub fn has(&self, kind: ProblemKind) -> bool {
        self.troubles.load().iter().any(|standing| standing.trouble.kind == kind)
    }

    /// Each finding, with the time since when it has been there.
    pub fn found(&self) -> Vec<(Finding, i64)> {
        let (findings, found_at_ms) = {
            let _setting = self.setting.lock();
            (self.findings.load_full(), self.found_at_ms.load_full())
        };
        findings.iter().cloned().zip(found_at_ms.iter().copied()).collect()
    }

    pub fn count(&self) -> usize {
        self.findings.load().len() + self.troubles.load().len()
    }

    /// Replaces the findings, and returns whether they differ from the old ones.
    pub(super) fn replace(&self, findings: Vec<Finding>) -> bool {
        let _setting = self.setting.lock();
        let old = self.findings.load_full();
        if *old == findings {
            return false;
        }
        let since = self.found_at_ms.load_full();
        let known: HashMap<(&str, &str), i64> =
            old.iter().zip(since.iter()).map(|(old, since)| (name(old), *since)).collect();
        let now = clock::wall_ms();
        let since = findings
            .iter()
            .map(|finding| known.get(&name(finding)).copied().unwrap_or(now))
            .collect();
        self.found_at_ms.store(Arc::new(since));
        self.findings.store(Arc::new(findings));
        true
    }

    /// Replaces the problems of one kind, and returns those that are new.
    pub(super) fn set(&self, kind: ProblemKind, new: Vec<Problem>) -> Vec<Problem> {
        let _setting = self.setting.lock();
        let old = self.troubles.load_full();
        let of_kind: Vec<&StandingProblem> =
            old.iter().filter(|standing| standing.trouble.kind == kind).collect();
        if of_kind.iter().map(|standing| &standing.trouble).eq(new.iter()) {
            return Vec::new();
        }
        let fresh = not_among(&new, of_kind.iter().map(|standing| &standing.trouble));
        let now = clock::wall_ms();
        let since: HashMap<Option<&str>, i64> = of_kind
            .iter()
            .map(|standing| (standing.trouble.subject.as_deref(), standing.since_ms))
            .collect();
        let standing = |trouble: Problem| {
            let since_ms = since.get(&trouble.subject.as_deref()).copied().unwrap_or(now);
            StandingProblem { trouble, since_ms }
        };
        let others = old.iter().filter(|standing| standing.trouble.kind != kind).cloned();
        let mut all: Vec<StandingProblem> = others.chain(new.into_iter().map(standing)).collect();
        all.sort_by_key(|standing| standing.trouble.kind);
        self.troubles.store(Arc::new(all));
        fresh
    }
}

/// The items of one list that are not in the other. Each is looked up in a set, as there may be one
/// for each flag.
fn not_among<'a, T: Clone + Eq + Hash + 'a>(
    new: &[T],
    known: impl Iterator<Item = &'a T>,
) -> Vec<T> {
    let known: HashSet<&T> = known.collect();
    new.iter().filter(|new| !known.contains(new)).cloned().collect()
}

/// The identity of a finding from one reading to the next: its place moves as the file is edited.
fn name(finding: &Finding) -> (&str, &str) {
    (&finding.file, finding.code.as_str())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::Hasher;

    use super::*;

    thread_local!(static COMPARED: Cell<usize> = const { Cell::new(0) });

    #[derive(Clone, Debug)]
    struct Counted(usize);

    impl PartialEq for Counted {
        fn eq(&self, other: &Counted) -> bool {
            COMPARED.set(COMPARED.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted {}

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    #[test]
    fn what_is_new_is_found_without_comparing_all_with_all() {
        const MANY: usize = 10_000;
        let (known, new): (Vec<_>, Vec<_>) =
            (0..MANY).map(|index| (Counted(index), Counted(index + MANY / 2))).unzip();
        let fresh: Vec<usize> =
            not_among(&new, known.iter()).into_iter().map(|Counted(index)| index).collect();
        assert_eq!(fresh, (MANY..MANY + MANY / 2).collect::<Vec<_>>());
        assert!(COMPARED.get() < 3 * MANY, "{} comparisons", COMPARED.get());
    }
}

//! Commits what files change: what only narrows is live at once, and the rest is committed first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::committer::{CommitError, Committer, MAX_TRIES, Proposal};
use super::{Inner, ProblemKind};
use crate::auth::random_name;
use crate::ledger::{
    Change, ChangeSource, ContentCache, PendingChange, PendingEntry, Reconciliation, Subject,
    Unknown, reconcile, reconcile_for_revision, still_narrowing,
};

const ACTOR: &str = "file";
/// The longest wait of a reading for the changes before it.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

impl Inner {
    /// Makes changes live that only narrow. Returns those that no longer narrow, because the flag
    /// changed meanwhile.
    pub(super) async fn narrow_by_file(
        self: &Arc<Self>,
        narrowed: Vec<PendingChange>,
    ) -> (Option<JoinHandle<()>>, Vec<Subject>) {
        if narrowed.is_empty() {
            return (None, Vec::new());
        }
        let began = Instant::now();
        let fast_path = self.fast_path.lock().await;
        let (narrowed, wider) = still_narrowing(&self.state(), narrowed);
        if narrowed.is_empty() {
            return (None, wider);
        }
        let flags: Vec<_> = narrowed.iter().map(|narrowed| narrowed.flag.clone()).collect();
        let at_ms = self.clock.wall_ms();
        let id = random_name().unwrap_or_else(|| format!("{ACTOR}-{at_ms}"));
        let (actor, origin) = (ACTOR.into(), ChangeSource::File);
        let revoked = Vec::new();
        let pending = PendingEntry {
            id,
            at_ms,
            actor,
            origin,
            reason: None,
            request: None,
            narrowed,
            revoked,
            superseded: Vec::new(),
            unknown: Unknown::default(),
        };
        let pushed = self.apply_pending(&fast_path, pending).await;
        drop(fast_path);
        let inner = self.clone();
        let saved = tokio::spawn(async move {
            inner.await_commit(began, pushed, Vec::new()).await;
            flags.iter().for_each(|flag| inner.report_drift(flag.as_str()));
            // A form that was being committed meanwhile may have replaced the one that this change
            // narrows.
            let is_saved = !inner.state().pending().flags().any(|flag| flags.contains(flag));
            if is_saved && inner.store.is_open() {
                inner.commit_files(flags.into_iter().map(Subject::Flag).collect()).await;
            }
        });
        (Some(saved), wider)
    }

    /// Commits what the files say of these subjects, as far as it still differs from what is
    /// recorded; of all subjects where some wait from before, or none was ever recorded. Returns how
    /// many were compared.
    pub(super) async fn commit_files(self: &Arc<Self>, mut subjects: BTreeSet<Subject>) -> usize {
        let mut compared = 0;
        if self.files_wait() {
            compared += self.add_all(&mut subjects).await;
        }
        if subjects.is_empty() && (self.state().is_recorded() || !self.store.is_open()) {
            self.trouble(ProblemKind::FilesWait, Vec::new());
            return compared;
        }
        let Ok(mut committer) = timeout(QUEUE_TIMEOUT, self.committer.lock()).await else {
            self.wait_for_the_database(&subjects, &CommitError::Unknown);
            return compared;
        };
        // Under this lock no database is opened: what is compared is what this one has.
        if !self.state().is_recorded() {
            compared += self.add_all(&mut subjects).await;
        }
        let subjects = Arc::new(subjects);
        let mut tries = 0;
        loop {
            let readings = self.readings.load(Ordering::Relaxed);
            let (replayed, reconciliation) =
                self.reconcile_settled(&mut committer, &subjects).await;
            compared += reconciliation.compared;
            let Reconciliation { changes, content, .. } = reconciliation;
            if changes.is_empty() {
                self.note_files_recorded();
                return compared;
            }
            let changed: BTreeSet<Subject> =
                changes.iter().map(|change| change.subject.clone()).collect();
            let committed = match replayed {
                Ok(()) => self.commit(&mut committer, by_file(&changes, &content), None).await,
                Err(not) => Err(not),
            };
            match committed {
                Ok(_) => {
                    self.note_files_recorded();
                    changed.iter().for_each(|subject| self.report_drift(subject.key()));
                    // A later reading was compared with the state before this commit.
                    if readings == self.readings.load(Ordering::Relaxed) {
                        return compared;
                    }
                }
                // Another program was faster: the remaining changes are computed anew.
                Err(CommitError::Conflict) => {}
                // No revision exists yet: the files are the only source.
                Err(not) if self.state().catalog.head.revision == 0 => {
                    self.serve_unrecorded(&changes, &content);
                    // Later readings find nothing new in these files. They are recorded when the
                    // database was opened again.
                    if self.store.is_open() {
                        self.lose(&mut committer, &not.to_string());
                    }
                    return compared;
                }
                Err(not) => {
                    self.wait_for_the_database(&changed, &not);
                    return compared;
                }
            }
            if tries == MAX_TRIES {
                self.wait_for_the_database(&changed, &CommitError::Conflict);
                return compared;
            }
            tries += 1;
        }
    }

    /// Commits what is pending, and then compares the files of these subjects with the state. A
    /// revision states what the one before it left, and nothing that is only pending.
    pub(super) async fn reconcile_settled(
        self: &Arc<Self>,
        committer: &mut Committer,
        subjects: &Arc<BTreeSet<Subject>>,
    ) -> (Result<(), CommitError>, Reconciliation) {
        loop {
            let (replayed, of_these) = (self.replay(committer).await, subjects.clone());
            let is_settled = replayed.is_ok();
            let again = self.compare(move |state, definitions| {
                (!is_settled || state.pending().is_empty())
                    .then(|| reconcile_for_revision(state, definitions, &*of_these))
            });
            if let Some(reconciliation) = again.await {
                return (replayed, reconciliation);
            }
        }
    }

    /// Adds every subject whose file differs from what is recorded. Returns how many were compared.
    async fn add_all(self: &Arc<Self>, subjects: &mut BTreeSet<Subject>) -> usize {
        let all = self.compare(reconcile).await;
        subjects.extend(all.subjects());
        all.compared
    }

    /// The caller holds the committer.
    fn note_files_recorded(&self) {
        self.trouble(ProblemKind::FilesWait, Vec::new());
        if self.store.is_open() {
            self.state().note_files_recorded();
        }
    }

    pub(super) fn serve_unrecorded(&self, changes: &[Change], content: &ContentCache) {
        let mut state = self.state();
        let mut catalog = state.catalog.clone();
        catalog.apply(catalog.head, changes, content);
        state.serve_unrecorded(catalog);
        // An empty database that took nothing may have been served meanwhile.
        self.rise_if_other(&mut state);
        self.go_live(&state);
    }
}

fn by_file(changes: &[Change], content: &ContentCache) -> Proposal {
    Proposal {
        actor: ACTOR.into(),
        origin: ChangeSource::File,
        reason: None,
        effective_at_ms: None,
        key: None,
        changes: changes.to_vec(),
        content: content.clone(),
    }
}

//! Makes the content of the flags folder live. Each reading is compared once with the effective
//! state. What only narrows is live at once, and the rest is committed first, or waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::{JoinHandle, spawn_blocking};

use super::folder_change::{Applied, FolderChange};
use super::folder_problems::find_missing_files;
use super::{Inner, Problem, ProblemKind};
use crate::definition::limits::CHECKS_AT_ONCE;
use crate::definition::{DefinitionSet, FlagFiles, INTERNAL, Progress, TestRun};
use crate::flag::FlagKey;
use crate::ledger::{Compared, EffectiveState, Reconciliation, Subject, reconcile_again};

/// How often a reading is compared anew, without a lock, where the state changed meanwhile.
const MAX_COMPARISONS: usize = 8;

impl Inner {
    /// Updates the definitions from a reading, and makes live what only narrows.
    pub(super) async fn ingest(self: &Arc<Self>, contents: Arc<FlagFiles>) -> Applied {
        self.reconcile_by(move |inner, definitions| {
            if inner.state().catalog.segment(INTERNAL).is_some_and(|entry| !entry.record.is_empty())
            {
                definitions.know_internal();
            }
            definitions.read(&contents, CHECKS_AT_ONCE);
        })
        .await
    }

    /// Compares the last reading again, and commits what the database does not have.
    pub(super) async fn record(self: &Arc<Self>) {
        let ingested = self.reconcile_by(|_, _| {}).await;
        self.settle(ingested.narrowed, ingested.to_commit).await;
    }

    /// Whether a file waits to be recorded.
    pub(super) fn files_wait(&self) -> bool {
        self.problems.has(ProblemKind::FilesWait)
    }

    /// Changes the definitions, and compares all of them with the effective state.
    pub(super) async fn reconcile_by(
        self: &Arc<Self>,
        change: impl FnOnce(&Inner, &mut DefinitionSet) + Send + 'static,
    ) -> Applied {
        // Of two concurrent callers, neither makes live what the other has found to be older.
        let _guard = self.reconciling.lock().await;
        let inner = self.clone();
        // Reading YAML and comparing thousands of flags takes time, so it runs on a thread of its
        // own.
        let look = spawn_blocking(move || {
            let mut definitions = inner.definitions.lock();
            change(&inner, &mut definitions);
            inner.readings.fetch_add(1, Ordering::Relaxed);
            let compared = Compared::default();
            inner.intern_lists(&definitions, &compared);
            inner.see(&definitions, None, &compared)
        });
        match look.await {
            Ok(look) => self.make_live(look).await,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// Takes the result of a test run. Returns `None` where more tests must run before anything
    /// follows from it.
    pub(super) async fn take_tests(self: &Arc<Self>, run: TestRun) -> Option<Applied> {
        let _guard = self.reconciling.lock().await;
        let inner = self.clone();
        let look = spawn_blocking(move || {
            let mut definitions = inner.definitions.lock();
            let is_settled = definitions.take_tests(&run);
            if is_settled {
                let subject = Subject::Flag(run.flag().clone());
                Ok(inner.see(&definitions, Some(&subject), &Compared::default()))
            } else {
                Err(inner.waiting(&definitions))
            }
        });
        match look.await {
            Ok(Ok(look)) => Some(self.make_live(look).await),
            Ok(Err(waiting)) => {
                self.report_tests(waiting);
                None
            }
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// The tests that are to be run.
    pub(super) async fn look_at_tests(self: &Arc<Self>) -> Vec<TestRun> {
        let inner = self.clone();
        spawn_blocking(move || inner.definitions.lock().pending_tests()).await.unwrap_or_default()
    }

    /// Compares the definitions with the effective state at a moment, on a thread that may wait for
    /// the lock of the definitions. No command waits for the comparison.
    pub(super) async fn compare<T: Send + 'static>(
        self: &Arc<Self>,
        compare: impl FnOnce(&EffectiveState, &DefinitionSet) -> T + Send + 'static,
    ) -> T {
        let inner = self.clone();
        let compared = spawn_blocking(move || {
            let definitions = inner.definitions.lock();
            compare(&inner.served.shown(), &definitions)
        });
        compared.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }

    /// Compares the definitions with the effective state once.
    pub(super) fn see(
        &self,
        definitions: &DefinitionSet,
        only: Option<&Subject>,
        compared: &Compared,
    ) -> FolderChange {
        let (reconciliation, missing) = self.compare_and_note(definitions, only, compared);
        FolderChange {
            findings: definitions.findings(),
            reconciliation,
            is_whole: only.is_none(),
            missing,
            waiting: self.waiting(definitions),
            tests: definitions.pending_tests(),
        }
    }

    /// Compares without the lock of the state, as stops wait for that, and notes under it what is
    /// coming. Where the state changed meanwhile it is compared anew, and then no list again.
    fn compare_and_note(
        &self,
        definitions: &DefinitionSet,
        only: Option<&Subject>,
        compared: &Compared,
    ) -> (Reconciliation, Vec<Problem>) {
        let compare = |state: &EffectiveState| {
            let reconciliation = reconcile_again(state, definitions, only, compared);
            (reconciliation, find_missing_files(state, definitions))
        };
        let mut rounds = 0;
        loop {
            rounds += 1;
            let shown = self.served.shown();
            let mut found = compare(&shown);
            let mut state = self.state();
            if !state.compares_as(&shown) {
                if rounds < MAX_COMPARISONS {
                    continue;
                }
                found = compare(&state);
            }
            drop(shown);
            let of_tests = definitions.waiting().map(|waiting| waiting.flag.clone());
            // A file that is gone again may have a commit under way.
            let may_land = self.unsettled.may_open(None);
            let may_still_come = |flag: &FlagKey| only.is_some() || may_land(flag);
            state.note_coming(found.0.new_flags().chain(of_tests), may_still_come);
            return found;
        }
    }

    /// The flags whose new form waits for tests. A form that is recorded already does not wait.
    pub(super) fn waiting(&self, definitions: &DefinitionSet) -> Vec<(FlagKey, Progress)> {
        let state = self.served.shown();
        let is_recorded = |flag: &FlagKey, definition| {
            state
                .catalog
                .flag(flag.as_str())
                .is_some_and(|entry| entry.definition.as_ref() == Some(definition))
        };
        let waiting =
            definitions.waiting().filter(|waiting| !is_recorded(waiting.flag, waiting.definition));
        waiting.map(|waiting| (waiting.flag.clone(), waiting.progress)).collect()
    }

    pub(super) async fn make_live(self: &Arc<Self>, seen: FolderChange) -> Applied {
        let FolderChange { findings, reconciliation, is_whole, missing, waiting, tests } = seen;
        let findings_changed = self.problems.replace(findings);
        self.report_tests(waiting);
        self.trouble(ProblemKind::MissingFile, missing);
        let mut to_commit: BTreeSet<Subject> = reconciliation.subjects().collect();
        let mut compared = reconciliation.compared;
        if self.is_held() {
            self.wait_for_a_person(&to_commit);
            return Applied {
                findings_changed,
                compared,
                narrowed: None,
                to_commit: BTreeSet::new(),
                is_whole: false,
                tests,
            };
        }
        compared += reconciliation.narrowed.len();
        for narrowed in &reconciliation.narrowed {
            to_commit.remove(&Subject::Flag(narrowed.flag.clone()));
        }
        let (narrowed, wider) = self.narrow_by_file(reconciliation.narrowed).await;
        to_commit.extend(wider);
        Applied { findings_changed, compared, narrowed, to_commit, is_whole, tests }
    }

    /// Waits up to 0.9 s until the narrowing changes are saved, and commits the rest. Returns how
    /// many subjects were compared for that.
    pub(super) async fn settle(
        self: &Arc<Self>,
        narrowed: Option<JoinHandle<()>>,
        to_commit: BTreeSet<Subject>,
    ) -> usize {
        if let Some(narrowed) = narrowed {
            let _ = narrowed.await;
        }
        if self.is_held() {
            return 0;
        }
        self.commit_files(to_commit).await
    }

    /// Shares a long list that both the definitions and the catalog have, so that it is in memory
    /// once.
    fn intern_lists(&self, definitions: &DefinitionSet, compared: &Compared) {
        let shown = self.served.shown();
        let written = definitions.written_segments().filter_map(|(_, written)| written);
        let equal = |form| shown.catalog.equal_segment(form, compared);
        let equal: Vec<_> =
            written.filter_map(|written| Some((equal(written.form)?, written))).collect();
        drop(shown);
        if equal.is_empty() {
            return;
        }
        let mut state = self.state();
        for (known, written) in &equal {
            let users_file = written.users_file.map(|(_, text)| (text.digest.into(), &text.bytes));
            state.catalog.intern(known, written.form, users_file);
        }
    }
}

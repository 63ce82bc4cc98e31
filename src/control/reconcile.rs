//! Makes the content of the flags folder live. Each reading is compared once with the effective
//! state. What only narrows is live at once, and the rest is committed first, or waits.
//!
//! Three things happen concurrently, so that no file delays another: readings are ingested,
//! widening changes are committed, and tests are run. Each flag waits only for its own tests and
//! its own commit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout};

use super::commit::{CommitError, Committer, MAX_TRIES, Proposal};
use super::retirement::flags_without_a_file;
use super::test_queue::TestQueue;
use super::{ControlEvent, Coordinator, Inner, Problem, ProblemKind};
use crate::auth::random_name;
use crate::definition::limits::CHECKS_AT_ONCE;
use crate::definition::{DefinitionSet, Finding, FlagFiles, INTERNAL, Progress, TestRun};
use crate::flag::FlagKey;
use crate::ledger::{
    Change, ChangeSource, ContentCache, EffectiveState, PendingChange, PendingEntry,
    Reconciliation, Subject, Unknown, reconcile, reconcile_for_revision, reconcile_only,
    still_narrowing,
};

const ACTOR: &str = "file";
/// The longest wait of a reading for the changes before it.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// The most subjects that are listed as waiting.
const MAX_LISTED: usize = 10;

/// The result of ingesting a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// Whether the findings differ from those before.
    pub findings_changed: bool,
    /// How many subjects were compared with the effective state until the reading was live or
    /// waited.
    pub compared: usize,
}

impl Coordinator {
    /// Ingests the content of the folder. When this returns, the content is live, or waits for the
    /// database or for its tests, which [`follow_folder`](Coordinator::follow_folder) runs.
    pub async fn ingest(&self, contents: &FlagFiles) -> Ingested {
        let (inner, contents) = (self.0.clone(), Arc::new(contents.clone()));
        // A task of its own, so that it finishes also when the caller goes away.
        let taken_in = tokio::spawn(async move {
            let ingested = inner.ingest(contents).await;
            let compared =
                ingested.compared + inner.settle(ingested.narrowed, ingested.to_commit).await;
            Ingested { findings_changed: ingested.findings_changed, compared }
        });
        taken_in.await.unwrap_or(Ingested { findings_changed: true, compared: 0 })
    }

    /// Ingests one reading after another, always the newest, until the sender is dropped; runs
    /// tests meanwhile. `report` is called with the findings whenever they change.
    pub async fn follow_folder(
        self,
        mut readings: watch::Receiver<Arc<FlagFiles>>,
        report: impl Fn(&[Finding], &FlagFiles) + Send + Sync + 'static,
    ) {
        let inner = self.0;
        let report = Arc::new(report);
        let mut tests = TestQueue::default();
        let mut commits = Commits::default();
        let mut contents = readings.borrow_and_update().clone();
        tests.renew(inner.look_at_tests().await);
        loop {
            let ingested = tokio::select! {
                changed = readings.changed() => match changed {
                    Ok(()) => {
                        contents = readings.borrow_and_update().clone();
                        inner.ingest(contents.clone()).await
                    }
                    Err(_) => return,
                },
                run = tests.next() => match inner.take_tests(run).await {
                    Some(ingested) => ingested,
                    None => continue,
                },
                () = commits.done() => {
                    commits.go_on(&inner);
                    continue;
                }
            };
            if ingested.findings_changed {
                let (report, findings, contents) =
                    (report.clone(), inner.problems.current(), contents.clone());
                // Drawing the findings takes time.
                let _ = spawn_blocking(move || report(&findings, &contents)).await;
            }
            tests.renew(ingested.tests);
            if ingested.is_whole && ingested.to_commit.is_empty() && !commits.is_running() {
                // The subjects that waited are unchanged.
                inner.trouble(ProblemKind::FilesWait, Vec::new());
            }
            commits.add(ingested.to_commit, ingested.is_whole);
            commits.go_on(&inner);
        }
    }
}

/// What a reading, or a test, has changed.
struct Applied {
    findings_changed: bool,
    compared: usize,
    /// The narrowing changes that are live and being saved.
    narrowed: Option<JoinHandle<()>>,
    to_commit: BTreeSet<Subject>,
    /// Whether everything in the folder was compared, and not only one flag.
    is_whole: bool,
    /// The tests that are still to be run.
    tests: Vec<TestRun>,
}

/// What a comparison under the lock of the definitions found.
struct FolderChange {
    findings: Vec<Finding>,
    reconciliation: Reconciliation,
    is_whole: bool,
    missing: Vec<Problem>,
    waiting: Vec<(FlagKey, Progress)>,
    tests: Vec<TestRun>,
}

/// The commits of file changes, one after another, concurrent with everything else.
#[derive(Default)]
struct Commits {
    running: Option<JoinHandle<usize>>,
    next: BTreeSet<Subject>,
}

impl Commits {
    /// Adds subjects to the next commit. A whole reading replaces everything before it.
    fn add(&mut self, subjects: BTreeSet<Subject>, is_whole: bool) {
        if is_whole {
            self.next.clear();
        }
        self.next.extend(subjects);
    }

    fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts the next commit, if there is something to commit and no commit runs.
    fn go_on(&mut self, inner: &Arc<Inner>) {
        if self.running.is_none() && !self.next.is_empty() {
            let (inner, subjects) = (inner.clone(), std::mem::take(&mut self.next));
            let commit = async move { inner.commit_files(subjects).await };
            self.running = Some(tokio::spawn(commit));
        }
    }

    /// Returns when the running commit is done; never returns when none runs.
    async fn done(&mut self) {
        match &mut self.running {
            Some(running) => drop(running.await),
            None => std::future::pending().await,
        }
        self.running = None;
    }
}

impl Inner {
    /// Updates the definitions from a reading, and publishes what only narrows.
    async fn ingest(self: &Arc<Self>, contents: Arc<FlagFiles>) -> Applied {
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
    async fn reconcile_by(
        self: &Arc<Self>,
        change: impl FnOnce(&Inner, &mut DefinitionSet) + Send + 'static,
    ) -> Applied {
        // Of two concurrent callers, neither publishes what the other has found to be older.
        let _guard = self.reconciling.lock().await;
        let inner = self.clone();
        // Reading YAML and comparing thousands of flags takes time, so it runs on a thread of its
        // own.
        let look = spawn_blocking(move || {
            let mut definitions = inner.definitions.lock();
            change(&inner, &mut definitions);
            inner.intern_lists(&definitions);
            inner.see(&definitions, None)
        });
        match look.await {
            Ok(look) => self.make_live(look).await,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// Takes the result of a test run. Returns `None` where more tests must run before anything
    /// follows from it.
    async fn take_tests(self: &Arc<Self>, run: TestRun) -> Option<Applied> {
        let _guard = self.reconciling.lock().await;
        let inner = self.clone();
        let look = spawn_blocking(move || {
            let mut definitions = inner.definitions.lock();
            let is_settled = definitions.take_tests(&run);
            if is_settled {
                Ok(inner.see(&definitions, Some(&Subject::Flag(run.flag().clone()))))
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
    async fn look_at_tests(self: &Arc<Self>) -> Vec<TestRun> {
        let inner = self.clone();
        spawn_blocking(move || inner.definitions.lock().pending_tests()).await.unwrap_or_default()
    }

    /// Compares the definitions with the effective state, on a thread that may wait for the locks.
    async fn compare<T: Send + 'static>(
        self: &Arc<Self>,
        compare: impl FnOnce(&EffectiveState, &DefinitionSet) -> T + Send + 'static,
    ) -> T {
        let inner = self.clone();
        let compared = spawn_blocking(move || {
            let definitions = inner.definitions.lock();
            compare(&inner.state(), &definitions)
        });
        compared.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }

    /// Compares the definitions with the effective state once.
    fn see(&self, definitions: &DefinitionSet, only: Option<&Subject>) -> FolderChange {
        let (reconciliation, missing) = {
            let state = self.state();
            let reconciliation = match only {
                Some(subject) => reconcile_only(&state, definitions, [subject]),
                None => reconcile(&state, definitions),
            };
            (reconciliation, find_missing_files(&state, definitions))
        };
        FolderChange {
            findings: definitions.findings(),
            reconciliation,
            is_whole: only.is_none(),
            missing,
            waiting: self.waiting(definitions),
            tests: definitions.pending_tests(),
        }
    }

    /// The flags whose new form waits for tests. A form that is recorded already does not wait.
    fn waiting(&self, definitions: &DefinitionSet) -> Vec<(FlagKey, Progress)> {
        let state = self.state();
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

    async fn make_live(self: &Arc<Self>, seen: FolderChange) -> Applied {
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
    async fn settle(
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

    /// Publishes changes that only narrow. Returns those that no longer narrow, because the flag
    /// changed meanwhile.
    async fn narrow_by_file(
        self: &Arc<Self>,
        narrowed: Vec<PendingChange>,
    ) -> (Option<JoinHandle<()>>, Vec<Subject>) {
        if narrowed.is_empty() {
            return (None, Vec::new());
        }
        let began = Instant::now();
        let turn = self.fast_path.turn().await;
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
        let pushed = self.apply_pending(&turn, pending).await;
        drop(turn);
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
    /// recorded; of all subjects where some wait from before. Returns how many were compared.
    async fn commit_files(self: &Arc<Self>, mut subjects: BTreeSet<Subject>) -> usize {
        let mut compared = 0;
        if self.files_wait() {
            let all = self.compare(reconcile).await;
            compared += all.compared;
            subjects.extend(all.subjects());
        }
        if subjects.is_empty() {
            self.trouble(ProblemKind::FilesWait, Vec::new());
            return compared;
        }
        let Ok(mut committer) = timeout(QUEUE_TIMEOUT, self.committer.lock()).await else {
            self.wait_for_the_database(&subjects, &CommitError::Unknown);
            return compared;
        };
        let subjects = Arc::new(subjects);
        let mut tries = 0;
        loop {
            let (replayed, reconciliation) =
                self.reconcile_settled(&mut committer, &subjects).await;
            compared += reconciliation.compared;
            let Reconciliation { changes, content, .. } = reconciliation;
            if changes.is_empty() {
                self.trouble(ProblemKind::FilesWait, Vec::new());
                return compared;
            }
            let subjects: BTreeSet<Subject> =
                changes.iter().map(|change| change.subject.clone()).collect();
            let committed = match replayed {
                Ok(()) => self.commit(&mut committer, by_file(&changes, &content), None).await,
                Err(not) => Err(not),
            };
            match committed {
                Ok(_) => {
                    self.trouble(ProblemKind::FilesWait, Vec::new());
                    subjects.iter().for_each(|subject| self.report_drift(subject.key()));
                }
                // Another program was faster: the remaining changes are computed anew.
                Err(CommitError::Conflict) if tries < MAX_TRIES => {
                    tries += 1;
                    continue;
                }
                // No revision exists yet: the files are the only source.
                Err(not) if self.state().catalog.head.revision == 0 => {
                    self.serve_unrecorded(&changes, &content);
                    // Later readings find nothing new in these files. They are recorded when the
                    // database was opened again.
                    if self.store.is_open() {
                        self.lose(&mut committer, &not.to_string());
                    }
                }
                Err(not) => self.wait_for_the_database(&subjects, &not),
            }
            return compared;
        }
    }

    /// Commits what is pending, and then compares the files of these subjects with the state. A
    /// revision states what the one before it left, and nothing that is only pending.
    async fn reconcile_settled(
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

    fn serve_unrecorded(&self, changes: &[Change], content: &ContentCache) {
        let mut state = self.state();
        let mut catalog = state.catalog.clone();
        catalog.apply(catalog.head, changes, content);
        state.serve_unrecorded(catalog);
        self.refresh(&state);
    }

    fn wait_for_the_database(&self, subjects: &BTreeSet<Subject>, why: &CommitError) {
        let waiting = |subject: &Subject| {
            Problem {
            kind: ProblemKind::FilesWait,
            subject: Some(subject.key().to_owned()),
            message: format!("the file of {subject} is not live yet: {why}"),
            hint: "it goes live by itself when the database answers; what lowers or switches off is live at once".to_owned(),
        }
        };
        self.trouble(
            ProblemKind::FilesWait,
            subjects.iter().take(MAX_LISTED).map(waiting).collect(),
        );
    }

    /// While a database is held for a person's decision, no file is taken in: it is not known which
    /// of the two is older.
    fn wait_for_a_person(&self, subjects: &BTreeSet<Subject>) {
        let waiting = |subject: &Subject| Problem {
            kind: ProblemKind::FilesWait,
            subject: Some(subject.key().to_owned()),
            message: format!("the file of {subject} is not live: the database is held"),
            hint: "it goes live when the right database is back, or is accepted (turnout problems)"
                .to_owned(),
        };
        self.trouble(
            ProblemKind::FilesWait,
            subjects.iter().take(MAX_LISTED).map(waiting).collect(),
        );
    }

    /// Reports where a file differs from what an operator holds.
    fn report_drift(&self, flag: &str) {
        let Some(entry) = self.state().flag(flag) else { return };
        let (Some(held), Some(written), Ok(flag)) =
            (&entry.record.split, &entry.definition, flag.parse())
        else {
            return;
        };
        let file = written.rollout.unwrap_or_default();
        if file != held.split {
            let (file, live) = (file.to_string(), held.split.to_string());
            let mark = held.mark.clone();
            (self.observer)(&ControlEvent::Drift {
                flag,
                file,
                live,
                by: mark.by.name,
                at_ms: mark.at_ms,
                reason: mark.reason,
            });
        }
    }

    /// Reports which new forms wait for their tests, and how far the tests are. The log gets a line
    /// when that begins, not for every step.
    fn report_tests(&self, waiting: Vec<(FlagKey, Progress)>) {
        let known: Vec<Option<String>> = self
            .problems
            .troubles()
            .iter()
            .filter(|known| known.kind == ProblemKind::TestsRun)
            .map(|known| known.subject.clone())
            .collect();
        let trouble = |(flag, Progress { tables_done, tables }): (FlagKey, Progress)| {
            Problem {
            kind: ProblemKind::TestsRun,
            message: match tables {
                0 => format!("the file of flag {flag} is not live yet: its tests are still running"),
                _ => format!(
                    "the file of flag {flag} is not live yet: its tests are still running, {tables_done} of {tables} tables are done"
                ),
            },
            subject: Some(flag.to_string()),
            hint: "it goes live by itself when they have passed; no other flag waits for them, and no order".to_owned(),
        }
        };
        let new_problems = self.problems.set(
            ProblemKind::TestsRun,
            waiting.into_iter().take(MAX_LISTED).map(trouble).collect(),
        );
        new_problems
            .into_iter()
            .filter(|trouble| !known.contains(&trouble.subject))
            .for_each(|trouble| (self.observer)(&ControlEvent::Problem(trouble)));
    }

    /// Shares a long list that both the definitions and the catalog have, so that it is in memory
    /// once.
    fn intern_lists(&self, definitions: &DefinitionSet) {
        let mut state = self.state();
        for (_, written) in definitions.written_segments() {
            let Some(written) = written else { continue };
            let users_file = written.users_file.map(|(_, text)| (text.digest.into(), &text.bytes));
            state.catalog.intern(written.form, users_file);
        }
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

/// Flags and segments whose files were removed while the service did not run.
fn find_missing_files(state: &EffectiveState, definitions: &DefinitionSet) -> Vec<Problem> {
    if !definitions.was_read() {
        return Vec::new();
    }
    let trouble = |subject: Subject, file: String| Problem {
        kind: ProblemKind::MissingFile,
        subject: Some(subject.key().to_owned()),
        message: format!("{file} is gone; the {} stays as it last was", subject.kind()),
        hint: "bring the file back".to_owned(),
    };
    // A segment made from the environment has no file.
    let has_no_file = |key| {
        definitions
            .written_segment(key)
            .is_none_or(|written| written.is_some_and(|written| written.file.is_none()))
    };
    let segments = state
        .catalog
        .segments()
        .filter(|(key, entry)| entry.record.file.is_some() && has_no_file(key));
    let segments = segments.filter(|_| definitions.can_read("segments"));
    let segments = segments
        .map(|(key, _)| trouble(Subject::Segment(key.clone()), format!("segments/{key}.yaml")));
    flags_without_a_file(state, definitions).into_iter().chain(segments).collect()
}

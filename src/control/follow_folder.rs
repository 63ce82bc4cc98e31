//! Follows the flags folder.
//!
//! Three things happen concurrently, so that no file delays another: readings are ingested,
//! widening changes are committed, and tests are run. Each flag waits only for its own tests and
//! its own commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::test_queue::TestQueue;
use super::{Coordinator, Inner, ProblemKind};
use crate::definition::{Finding, FlagFiles};
use crate::ledger::Subject;

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

//! How a definition set tests its flags: which tests are still to be run, what their results are,
//! and what is promoted by them.
//!
//! A new form goes live when its own tests and all tables about its flag have passed; other flags
//! do not wait for it. A live form stays live whatever a changed table says about it.

use std::sync::Arc;

use super::candidate::Candidate;
use super::definition_set::DefinitionSet;
use super::finding::Finding;
use super::limits::MAX_TABLES_OF_FLAG;
use super::test_run::TestRun;
use super::trial::{Progress, Tables, Trial};
use crate::flag::{Definition, FlagKey};

/// A new form of a flag that waits for its tests.
#[derive(Clone, Debug)]
pub struct Waiting<'a> {
    pub flag: &'a FlagKey,
    pub definition: &'a Arc<Definition>,
    pub progress: Progress,
}

impl DefinitionSet {
    /// The tests that are still to be run, of new forms and of forms in force. The caller returns
    /// each with [`take_tests`](DefinitionSet::take_tests).
    pub fn pending_tests(&self) -> Vec<TestRun> {
        let live = self.tables_of.keys().filter_map(|key| self.live.get(key));
        let mut runs: Vec<TestRun> =
            live.flat_map(|trial| trial.missing(&self.tables_about(trial.flag()))).collect();
        for (key, trial) in self.candidates() {
            // If a new form means the same as the live one, the result of a table holds for both.
            let is_shared = self
                .live
                .get(key)
                .is_some_and(|live| Arc::ptr_eq(live.definition(), trial.definition()));
            let missing = trial.missing(&self.tables_about(key)).into_iter();
            runs.extend(missing.filter(|run| !is_shared || run.is_of_the_flags_file()));
        }
        runs
    }

    /// Takes the result of a run. Returns whether all tests of the flag have now run, so that a new
    /// form may have gone live and its findings are known. A run that is no longer wanted changes
    /// nothing.
    pub fn take_tests(&mut self, run: &TestRun) -> bool {
        let key = run.flag();
        let of_live = self.live.get_mut(key).is_some_and(|live| live.take(run));
        let candidate = self.flags.get_mut(key).and_then(|tracked| tracked.candidate.as_mut());
        let of_candidate = candidate.is_some_and(|candidate| candidate.trial.take(run));
        (of_live || of_candidate) && self.settle(key)
    }

    /// The new forms that wait for their tests.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting<'_>> {
        self.candidates().filter_map(|(flag, trial)| {
            let tables = self.tables_about(flag);
            let waits = !trial.missing(&tables).is_empty();
            waits.then(|| Waiting {
                flag,
                definition: trial.definition(),
                progress: trial.progress(&tables),
            })
        })
    }

    /// How many tests a flag has, in its file and in tables.
    pub fn cases(&self, key: &str) -> usize {
        let live = self.live.get(key);
        let newest = self
            .flags
            .get(key)
            .and_then(|tracked| tracked.candidate.as_ref())
            .map(|candidate| &candidate.trial)
            .or(live);
        newest.map_or(0, Trial::own_cases) + live.map_or(0, Trial::cases_of_tables)
    }

    /// Sorts the tables by their flags, and forgets results of tables that no longer exist.
    pub(super) fn sort_tables(&mut self) {
        self.tables_of.clear();
        for (path, table) in &self.tables {
            if let Some(table) = &table.good {
                self.tables_of.entry(table.flag().clone()).or_default().push(path.clone());
            }
        }
        let mut live = std::mem::take(&mut self.live);
        live.iter_mut().for_each(|(key, trial)| trial.forget_other_tables(&self.tables_about(key)));
        self.live = live;
    }

    /// Runs the cheapest tests first while all together cost at most `checks` checks, and promotes
    /// the forms that passed.
    pub(super) fn test_at_once(&mut self, mut checks: u64) {
        let mut runs = self.pending_tests();
        runs.sort_by_key(TestRun::checks_left);
        for mut run in runs {
            let Some(left) = checks.checked_sub(run.checks_left()) else { break };
            checks = left;
            run.step(u64::MAX);
            self.take_tests(&run);
        }
        // Flags without a test too.
        let candidates: Vec<FlagKey> = self.candidates().map(|(key, _)| key.clone()).collect();
        for key in &candidates {
            self.settle(key);
        }
    }

    /// The findings of tables, and of new forms that were tested.
    pub(super) fn findings_of_tests(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (key, trial) in self.candidates() {
            let tables = self.tables_about(key);
            if trial.missing(&tables).is_empty() {
                findings.extend(trial.refusals(&tables));
            }
        }
        for (path, tracked) in &self.tables {
            findings.extend(tracked.findings.iter().cloned());
            let table = tracked.good.as_ref().filter(|_| tracked.findings.is_empty());
            findings.extend(
                table
                    .filter(|table| !self.flags.contains_key(table.flag()))
                    .map(|table| table.without_flag(path)),
            );
        }
        for (key, trial) in self.live.iter().filter(|(key, _)| self.tables_of.contains_key(*key)) {
            // The findings of a table's file are reported, and not its earlier results.
            let is_sound = |path: &str| {
                self.tables.get(path).is_some_and(|tracked| tracked.findings.is_empty())
            };
            let of_tables = trial.findings_of_tables(&self.tables_about(key)).into_iter();
            findings.extend(of_tables.filter(|finding| is_sound(&finding.file)));
        }
        findings
    }

    /// Promotes a flag's new form once all its tests have passed. Returns whether none is left to
    /// run.
    fn settle(&mut self, key: &FlagKey) -> bool {
        let tables = self.tables_about(key);
        let is_tested = |trial: &Trial| trial.missing(&tables).is_empty();
        let candidate = self
            .flags
            .get(key)
            .and_then(|tracked| tracked.candidate.as_ref())
            .filter(|candidate| candidate.is_linked);
        let is_decided = candidate.is_none_or(|candidate| is_tested(&candidate.trial));
        if is_decided && candidate.is_some_and(|candidate| !candidate.trial.is_refused(&tables)) {
            self.promote(key);
            return true;
        }
        is_decided && self.live.get(key).is_none_or(is_tested)
    }

    fn promote(&mut self, key: &FlagKey) {
        let Some(tracked) = self.flags.get_mut(key) else { return };
        // A refused form is kept: the table that refuses it may be fixed.
        let Some(Candidate { trial, .. }) = tracked.candidate.take() else { return };
        self.uses.remove(key);
        tracked.promote(trial.definition().clone());
        self.live.insert(key.clone(), trial.passed());
    }

    fn candidates(&self) -> impl Iterator<Item = (&FlagKey, &Trial)> {
        self.flags.iter().filter_map(|(key, tracked)| {
            let candidate = tracked.candidate.as_ref().filter(|candidate| candidate.is_linked)?;
            Some((key, &candidate.trial))
        })
    }

    fn tables_about(&self, key: &FlagKey) -> Tables<'_> {
        let paths = self.tables_of.get(key).map(Vec::as_slice).unwrap_or_default();
        let (first, beyond) = paths.split_at(paths.len().min(MAX_TABLES_OF_FLAG));
        let table = |path: &Arc<str>| Some((path.clone(), self.tables.get(path)?.good.as_ref()?));
        Tables { first: first.iter().filter_map(table).collect(), beyond }
    }
}

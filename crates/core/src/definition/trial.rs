//! One form of a flag, and the results of its tests so far.
//!
//! A test runs once, until the test or the form it is about changes. Its result is kept until then.
//! A budget bounds the cost of all tests of one flag; tests above it are not run, and count as
//! failed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::{Code, Finding};
use super::limits::{MAX_CHECKS, MAX_TABLES_OF_FLAG};
use super::test_case::Case;
use super::test_run::{Outcome, TestRun, Tests, checks_a_case};
use super::test_table::Table;
use crate::flag::{Definition, FlagKey};

/// The tables about one flag, ordered by path.
pub struct Tables<'a> {
    /// The tables that may be run: at most [`MAX_TABLES_OF_FLAG`].
    pub first: Vec<(Arc<str>, &'a Arc<Table>)>,
    /// The paths of all others.
    pub beyond: &'a [Arc<str>],
}

/// A form of a flag during its tests, or after them.
pub struct Trial {
    definition: Arc<Definition>,
    /// The tests of the flag's own file; released once they have passed.
    tests: Arc<[Case]>,
    own_cases: usize,
    own: Option<Outcome>,
    of_tables: BTreeMap<Arc<str>, (Arc<Table>, Outcome)>,
}

/// How far the tests of a form are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub tables_done: usize,
    pub tables: usize,
}

/// Prints counts, never content: cases name users.
impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trial({}, {} tables run)", self.definition.key, self.of_tables.len())
    }
}

impl Trial {
    pub fn new(definition: Arc<Definition>, tests: Vec<Case>) -> Trial {
        Trial {
            definition,
            own_cases: tests.len(),
            tests: tests.into(),
            own: None,
            of_tables: BTreeMap::new(),
        }
    }

    pub fn flag(&self) -> &FlagKey {
        &self.definition.key
    }

    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// How many tests the flag's own file has.
    pub fn own_cases(&self) -> usize {
        self.own_cases
    }

    /// How many cases its tables have.
    pub fn cases_of_tables(&self) -> usize {
        self.of_tables.values().map(|(_, outcome)| outcome.cases).sum()
    }

    /// Takes over the table results of a form with the same meaning.
    pub fn take_over(&mut self, same: &Trial) {
        self.definition = same.definition.clone();
        self.of_tables.clone_from(&same.of_tables);
    }

    /// Marks the form as live: its own tests are not run again.
    pub fn passed(self) -> Trial {
        Trial { tests: Arc::new([]), ..self }
    }

    /// The tests that are still to be run.
    pub fn missing(&self, tables: &Tables<'_>) -> Vec<TestRun> {
        let budget = self.budget(tables);
        let own =
            (self.own.is_none() && budget.own.is_none()).then(|| Tests::Own(self.tests.clone()));
        let of_tables =
            budget.within.iter().filter(|(path, table)| self.outcome_of(path, table).is_none());
        let of_tables = of_tables
            .map(|(path, table)| Tests::Table { path: path.clone(), table: Arc::clone(table) });
        own.into_iter()
            .chain(of_tables)
            .map(|tests| TestRun::new(self.definition.clone(), tests))
            .collect()
    }

    pub fn progress(&self, tables: &Tables<'_>) -> Progress {
        let within = self.budget(tables).within;
        let done = within.iter().filter(|(path, table)| self.outcome_of(path, table).is_some());
        Progress { tables_done: done.count(), tables: within.len() }
    }

    /// Keeps the result of a run, if the run was about this form.
    pub fn take(&mut self, run: &TestRun) -> bool {
        let Some(outcome) =
            run.outcome().filter(|_| Arc::ptr_eq(run.definition(), &self.definition))
        else {
            return false;
        };
        match run.tests() {
            Tests::Own(tests) if Arc::ptr_eq(tests, &self.tests) => self.own = Some(outcome),
            Tests::Own(_) => return false,
            Tests::Table { path, table } => {
                drop(self.of_tables.insert(path.clone(), (table.clone(), outcome)));
            }
        }
        true
    }

    /// Forgets the results of tables that no longer exist.
    pub fn forget_other_tables(&mut self, tables: &Tables<'_>) {
        self.of_tables.retain(|path, (table, _)| {
            tables.first.iter().any(|(known, same)| known == path && Arc::ptr_eq(same, table))
        });
    }

    /// Why the form must not go live. A table that cannot be read is the table's own fault and
    /// refuses nothing.
    pub fn refusals(&self, tables: &Tables<'_>) -> Vec<Finding> {
        let budget = self.budget(tables);
        let own = self.own.iter().flat_map(|outcome| &outcome.findings);
        let of_tables =
            budget.within.iter().filter_map(|(path, table)| self.outcome_of(path, table));
        let failed = of_tables
            .flat_map(|outcome| &outcome.findings)
            .filter(|finding| finding.code == Code::FailedTest);
        budget
            .own
            .iter()
            .chain(own)
            .chain(failed)
            .cloned()
            .chain(budget.over)
            .chain(self.beyond(tables))
            .collect()
    }

    /// Whether the form must not go live: [`refusals`](Trial::refusals) would name a reason. Asked
    /// after each test, so that thousands of tables beyond the limit are not named each time.
    pub fn is_refused(&self, tables: &Tables<'_>) -> bool {
        !tables.beyond.is_empty() || !self.refusals(tables).is_empty()
    }

    /// The findings of the tables, and of their failed cases.
    pub fn findings_of_tables(&self, tables: &Tables<'_>) -> Vec<Finding> {
        let budget = self.budget(tables);
        let run = budget.within.iter().filter_map(|(path, table)| self.outcome_of(path, table));
        let run = run.flat_map(|outcome| outcome.findings.iter().cloned());
        run.chain(budget.over).chain(self.beyond(tables)).collect()
    }

    /// A finding for each table above the limit.
    fn beyond(&self, tables: &Tables<'_>) -> impl Iterator<Item = Finding> {
        let (flag, count) = (&self.definition.key, tables.first.len() + tables.beyond.len());
        tables.beyond.iter().map(move |path| {
            let message = format!("`{flag}` has {count} tables of tests; {MAX_TABLES_OF_FLAG} may be run, so this one is not");
            Finding::of_file(path, Code::TooMany, message).with_hint("put its cases into another table of the flag")
        })
    }

    fn outcome_of(&self, path: &str, table: &Arc<Table>) -> Option<&Outcome> {
        self.of_tables
            .get(path)
            .filter(|(same, _)| Arc::ptr_eq(same, table))
            .map(|(_, outcome)| outcome)
    }

    /// Decides which tests are run: the flag's own, then its tables ordered by path, while the
    /// budget lasts.
    fn budget<'t>(&self, tables: &'t Tables<'t>) -> Budget<'t> {
        let flag = &self.definition.key;
        let a_case = checks_a_case(&self.definition);
        let mut budget = Budget { own: None, within: Vec::new(), over: Vec::new() };
        let too_many = |checks: u64, what: &str| {
            format!(
                "the tests of `{flag}` come to {checks} checks with {what}; {MAX_CHECKS} may be run, so it is not"
            )
        };
        let hint = "give it fewer cases, or the flag fewer rules: a case counts once for each thing that the flag compares with";
        let mut checks = self.own_cases as u64 * a_case;
        if checks > MAX_CHECKS {
            let finding = Finding::of_file(
                &format!("{flag}.yaml"),
                Code::TooMany,
                too_many(checks, "`tests`"),
            );
            budget.own = Some(finding.with_hint(hint));
            checks = 0;
        }
        for (path, table) in &tables.first {
            let with_it = checks + table.cases() as u64 * a_case;
            if with_it <= MAX_CHECKS {
                checks = with_it;
                budget.within.push((path.clone(), *table));
            } else {
                let finding =
                    Finding::of_file(path, Code::TooMany, too_many(with_it, "this table"))
                        .with_hint(hint);
                budget.over.push(Finding { place: Some(table.place()), ..finding });
            }
        }
        budget
    }
}

struct Budget<'t> {
    /// Why the tests of the flag's own file are not run.
    own: Option<Finding>,
    within: Vec<(Arc<str>, &'t Arc<Table>)>,
    /// Why some tables are not run.
    over: Vec<Finding>,
}

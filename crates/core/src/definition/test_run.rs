//! One part of a flag's tests as a unit of work: the tests of its own file, or one table, against
//! one form of the flag.
//!
//! The caller runs it in steps of bounded size on a thread of its choice, so nothing here waits,
//! and a run that is no longer wanted is dropped between two steps.

use std::sync::Arc;

use super::finding::Finding;
use super::limits::MAX_FINDINGS;
use super::test_case::Case;
use super::test_table::Table;
use crate::flag::{
    Clause, Comparison, Condition, Definition, Entry, FlagKey, Members, NumberPredicate, Predicate,
    Segment, SegmentKey, TextPredicate, VersionPredicate,
};

/// Tests that are to be run, or are partly run.
pub struct TestRun {
    definition: Arc<Definition>,
    tests: Tests,
    /// The most checks that one case costs.
    checks_a_case: u64,
    /// `None` before the first step.
    started: Option<Begun>,
}

/// Where the cases are written.
#[derive(Clone)]
pub enum Tests {
    /// In the flag's own file.
    Own(Arc<[Case]>),
    Table {
        path: Arc<str>,
        table: Arc<Table>,
    },
}

struct Begun {
    cases: Arc<[Case]>,
    next: usize,
    failures: usize,
    /// The findings of the cases themselves, and then of cases that failed.
    findings: Vec<Finding>,
    /// The definition's segments without members.
    empty: Vec<Arc<Segment>>,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub cases: usize,
    pub findings: Vec<Finding>,
}

/// Prints names and counts: cases name users.
impl std::fmt::Debug for TestRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TestRun({}, {}, {} checks left)", self.flag(), self.file(), self.checks_left())
    }
}

impl TestRun {
    pub fn new(definition: Arc<Definition>, tests: Tests) -> TestRun {
        TestRun { checks_a_case: checks_a_case(&definition), definition, tests, started: None }
    }

    /// The flag that is tested.
    pub fn flag(&self) -> &FlagKey {
        &self.definition.key
    }

    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    pub fn tests(&self) -> &Tests {
        &self.tests
    }

    /// The most checks that are left: one for each case and each value the flag compares with.
    pub fn checks_left(&self) -> u64 {
        let cases = match &self.started {
            Some(started) => started.cases.len() - started.next,
            None => self.tests.cases(),
        };
        cases as u64 * self.checks_a_case
    }

    /// The same work, from its beginning.
    pub fn anew(&self) -> TestRun {
        TestRun {
            definition: self.definition.clone(),
            tests: self.tests.clone(),
            checks_a_case: self.checks_a_case,
            started: None,
        }
    }

    pub fn has_begun(&self) -> bool {
        self.started.is_some()
    }

    /// Whether both are the same work, whatever the progress of each.
    pub fn is_same(&self, other: &TestRun) -> bool {
        Arc::ptr_eq(&self.definition, &other.definition) && self.tests.are(&other.tests)
    }

    /// Whether these are the tests of the flag's own file, and not of a table.
    pub fn is_of_the_flags_file(&self) -> bool {
        matches!(self.tests, Tests::Own(_))
    }

    pub fn is_done(&self) -> bool {
        self.started.as_ref().is_some_and(Begun::is_done)
    }

    /// Runs about this many checks, and at least one case.
    pub fn step(&mut self, checks: u64) {
        let (file, definition) = (self.file(), self.definition.clone());
        let started = self.started.get_or_insert_with(|| Begun::new(&self.tests, &definition));
        let mut left = checks;
        while !started.is_done() {
            let failure = started.cases[started.next].run(&file, &definition, &started.empty);
            started.failures += usize::from(failure.is_some());
            started.findings.extend(failure);
            started.next += 1;
            left = left.saturating_sub(self.checks_a_case);
            if left == 0 {
                return;
            }
        }
    }

    /// The result; `None` before the run is done.
    pub fn outcome(&self) -> Option<Outcome> {
        let started = self.started.as_ref().filter(|started| started.is_done())?;
        Some(Outcome { cases: started.cases.len(), findings: started.findings.clone() })
    }

    /// The file that contains the tests.
    pub fn file(&self) -> Arc<str> {
        match &self.tests {
            Tests::Own(_) => format!("{}.yaml", self.flag()).into(),
            Tests::Table { path, .. } => path.clone(),
        }
    }
}

impl Tests {
    fn cases(&self) -> usize {
        match self {
            Tests::Own(cases) => cases.len(),
            Tests::Table { table, .. } => table.cases(),
        }
    }

    fn are(&self, other: &Tests) -> bool {
        match (self, other) {
            (Tests::Own(one), Tests::Own(other)) => Arc::ptr_eq(one, other),
            (Tests::Table { path, table }, Tests::Table { path: other_path, table: other }) => {
                Arc::ptr_eq(table, other) && path == other_path
            }
            _ => false,
        }
    }
}

impl Begun {
    fn new(tests: &Tests, definition: &Definition) -> Begun {
        let (cases, findings) = match tests {
            Tests::Own(cases) => (cases.clone(), Vec::new()),
            Tests::Table { path, table } => {
                let (cases, findings) = table.read(path, definition);
                (cases.into(), findings)
            }
        };
        let without_members =
            |key: &SegmentKey| Arc::new(Segment { key: key.clone(), members: Members::default() });
        Begun {
            cases,
            next: 0,
            failures: 0,
            findings,
            empty: definition.segments.iter().map(without_members).collect(),
        }
    }

    /// When many cases of a table fail, the first are reported and no more are run.
    fn is_done(&self) -> bool {
        self.next == self.cases.len() || self.failures == MAX_FINDINGS
    }
}

/// The most checks that one case costs: every value that the flag may compare with.
pub fn checks_a_case(definition: &Definition) -> u64 {
    let of_entry = |entry: &Entry| {
        1 + entry.who.as_ref().map_or(0, |who| who.segments.len() as u64)
            + entry.when.as_ref().map_or(0, of_condition)
    };
    let entries: u64 = definition.deny.iter().chain(&definition.allow).map(of_entry).sum();
    let rules: u64 = definition.rules.iter().map(|rule| of_condition(&rule.when)).sum();
    1 + entries + rules + definition.segments.len() as u64
}

fn of_condition(condition: &Condition) -> u64 {
    condition.parts.iter().map(of_part).sum()
}

fn of_part(part: &Clause) -> u64 {
    match part {
        Clause::Attribute { comparison, .. } => match comparison {
            Comparison::Text(test) | Comparison::Email(test) => of_test(test, &|test| match test {
                TextPredicate::AnyOf(any) => any.len(),
                TextPredicate::StartsWith(_) | TextPredicate::EndsWith(_) => 1,
            }),
            Comparison::Number(test) => of_test(test, &|test| match test {
                NumberPredicate::AnyOf(any) => any.len(),
                NumberPredicate::Below(_) | NumberPredicate::AtLeast(_) => 1,
            }),
            Comparison::Version(test) => of_test(test, &|test| match test {
                VersionPredicate::AnyOf(any) => any.len(),
                VersionPredicate::Below(_) | VersionPredicate::AtLeast(_) => 1,
            }),
            Comparison::Boolean(test) => of_test(test, &|_| 1),
        },
        Clause::Segment(any) => any.len() as u64,
        Clause::Not(condition) => 1 + of_condition(condition),
    }
}

fn of_test<T>(test: &Predicate<T>, values: &impl Fn(&T) -> usize) -> u64 {
    match test {
        Predicate::One(test) => values(test) as u64,
        Predicate::All(tests) => tests.iter().map(|test| of_test(test, values)).sum(),
        Predicate::Not(test) => of_test(test, values),
    }
}

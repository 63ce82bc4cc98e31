//! What a rule's `when` asks, and its answer in four values.
//!
//! A missing attribute must make a comparison false under `not` as well, so conditions are true, false, *missing* or *error*
//! until the rule asks whether they hold. The order of parts never matters: false beats error, error beats missing.

use std::sync::Arc;

use super::context::{Context, Value};
use super::key::AttributeName;
use super::segment::{Segment, Trust};
use super::version::Version;

/// The answer of a condition; see `docs/EVALUATION.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    // In this order `min` is "and".
    False,
    Error,
    Missing,
    True,
}

impl Truth {
    fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            other => other,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Truth {
        if holds { Truth::True } else { Truth::False }
    }
}

/// All parts must hold.
#[derive(Debug, Default, PartialEq)]
pub struct Condition {
    pub parts: Vec<Part>,
}

/// One line of a `when`.
#[derive(Debug, PartialEq)]
pub enum Part {
    Attribute {
        name: AttributeName,
        comparison: Comparison,
    },
    /// Indices into the flag's list of segments: in any of them.
    Segment(Vec<SegmentIndex>),
    Not(Condition),
}

/// The place of a segment in [`Definition::segments`](super::Definition::segments).
pub type SegmentIndex = usize;

/// What an attribute is compared with. The values have the attribute's declared type.
#[derive(Debug, PartialEq)]
pub enum Comparison {
    Text(Test<TextTest>),
    /// As `Text`, folded to ASCII lower case on both sides, and missing unless the address counts.
    Email(Test<TextTest>),
    Number(Test<NumberTest>),
    Version(Test<VersionTest>),
    Boolean(Test<BooleanTest>),
}

/// Tests that must all hold, some of them turned round.
#[derive(Debug, PartialEq)]
pub enum Test<T> {
    One(T),
    All(Vec<Test<T>>),
    Not(Box<Test<T>>),
}

#[derive(Debug, PartialEq)]
pub enum TextTest {
    AnyOf(Vec<Box<str>>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
}

#[derive(Debug, PartialEq)]
pub enum NumberTest {
    AnyOf(Vec<f64>),
    Below(f64),
    AtLeast(f64),
}

/// Versions that were readable when the flag was.
#[derive(Debug, PartialEq)]
pub enum VersionTest {
    AnyOf(Vec<Box<str>>),
    Below(Box<str>),
    AtLeast(Box<str>),
}

#[derive(Debug, PartialEq)]
pub enum BooleanTest {
    Is(bool),
}

impl Condition {
    /// The truth of the condition for one asker. `segments` are the flag's, `trust` says which addresses count.
    pub fn truth(&self, context: &Context<'_>, segments: &[Arc<Segment>], trust: Trust) -> Truth {
        all(self.parts.iter().map(|part| part.truth(context, segments, trust)))
    }
}

impl Part {
    pub fn truth(&self, context: &Context<'_>, segments: &[Arc<Segment>], trust: Trust) -> Truth {
        match self {
            Part::Attribute { name, comparison } => comparison.truth(name, context, trust),
            Part::Segment(any) => any.iter().any(|index| segments[*index].members.contain(context, trust)).into(),
            Part::Not(condition) => condition.truth(context, segments, trust).not(),
        }
    }
}

impl Comparison {
    fn truth(&self, name: &AttributeName, context: &Context<'_>, trust: Trust) -> Truth {
        let Some(value) = context.attribute(name.as_str()) else { return Truth::Missing };
        match (self, value) {
            (Comparison::Text(test), Value::Text(text)) => test.truth(&|test| test.holds(text)),
            (Comparison::Email(_), _) if trust == Trust::Verified && !context.email_is_verified() => Truth::Missing,
            (Comparison::Email(test), Value::Text(_)) => match context.address() {
                Some(address) => address.folded(|address| test.truth(&|test| test.holds(address))),
                None => Truth::Missing,
            },
            (Comparison::Number(test), Value::Number(number)) => test.truth(&|test| test.holds(*number)),
            (Comparison::Version(test), Value::Text(text)) => match Version::new(text) {
                Some(version) => test.truth(&|test| test.holds(version)),
                None => Truth::Error,
            },
            (Comparison::Boolean(test), Value::Bool(is)) => test.truth(&|BooleanTest::Is(wanted)| wanted == is),
            _ => Truth::Error,
        }
    }
}

impl<T> Test<T> {
    fn truth(&self, holds: &impl Fn(&T) -> bool) -> Truth {
        match self {
            Test::One(test) => holds(test).into(),
            Test::All(tests) => all(tests.iter().map(|test| test.truth(holds))),
            Test::Not(test) => test.truth(holds).not(),
        }
    }
}

impl TextTest {
    fn holds(&self, text: &str) -> bool {
        match self {
            TextTest::AnyOf(any) => any.iter().any(|one| **one == *text),
            TextTest::StartsWith(start) => text.starts_with(&**start),
            TextTest::EndsWith(end) => text.ends_with(&**end),
        }
    }
}

impl NumberTest {
    fn holds(&self, number: f64) -> bool {
        match self {
            NumberTest::AnyOf(any) => any.contains(&number),
            NumberTest::Below(limit) => number < *limit,
            NumberTest::AtLeast(limit) => number >= *limit,
        }
    }
}

impl VersionTest {
    fn holds(&self, version: Version<'_>) -> bool {
        // Unreadable limits are refused with the file; if one got here it would match nobody.
        let compare = |limit: &str, wanted: fn(std::cmp::Ordering) -> bool| {
            Version::new(limit).is_some_and(|limit| wanted(version.cmp(&limit)))
        };
        match self {
            VersionTest::AnyOf(any) => any.iter().any(|one| compare(one, std::cmp::Ordering::is_eq)),
            VersionTest::Below(limit) => compare(limit, std::cmp::Ordering::is_lt),
            VersionTest::AtLeast(limit) => compare(limit, std::cmp::Ordering::is_ge),
        }
    }
}

/// "And": one false part settles it, whatever else is missing or wrong.
fn all(mut parts: impl Iterator<Item = Truth>) -> Truth {
    parts
        .try_fold(Truth::True, |so_far, part| if part == Truth::False { Err(part) } else { Ok(so_far.min(part)) })
        .unwrap_or(Truth::False)
}

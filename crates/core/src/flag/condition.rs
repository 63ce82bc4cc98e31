//! The conditions of a rule's `when`, with four possible results.
//!
//! A missing attribute must make a comparison false under `not` as well, so conditions are true,
//! false, *missing* or *error* until the rule is decided. The order of parts never matters: false
//! beats error, error beats missing.

use std::sync::Arc;

use super::context::{Context, Value};
use super::key::AttributeName;
use super::segment::{Segment, Trust};
use super::version::Version;

/// The result of a condition; see `docs/EVALUATION.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchResult {
    // In this order `min` means "and".
    False,
    Error,
    Missing,
    True,
}

impl MatchResult {
    fn not(self) -> MatchResult {
        match self {
            MatchResult::True => MatchResult::False,
            MatchResult::False => MatchResult::True,
            other => other,
        }
    }
}

impl From<bool> for MatchResult {
    fn from(holds: bool) -> MatchResult {
        if holds { MatchResult::True } else { MatchResult::False }
    }
}

/// All parts must hold.
#[derive(Debug, Default, PartialEq)]
pub struct Condition {
    pub parts: Vec<Clause>,
}

/// One line of a `when`.
#[derive(Debug, PartialEq)]
pub enum Clause {
    Attribute {
        name: AttributeName,
        comparison: Comparison,
    },
    /// Indices into the flag's list of segments: true for a member of any of them.
    Segment(Vec<SegmentIndex>),
    Not(Condition),
}

/// The index of a segment in [`Definition::segments`](super::Definition::segments).
pub type SegmentIndex = usize;

/// The values an attribute is compared with. They have the attribute's declared type.
#[derive(Debug, PartialEq)]
pub enum Comparison {
    Text(Predicate<TextPredicate>),
    /// Like `Text`, folded to ASCII lower case on both sides, and missing unless the address
    /// counts.
    Email(Predicate<TextPredicate>),
    Number(Predicate<NumberPredicate>),
    Version(Predicate<VersionPredicate>),
    Boolean(Predicate<BooleanPredicate>),
}

/// Tests that must all hold, some of them negated.
#[derive(Debug, PartialEq)]
pub enum Predicate<T> {
    One(T),
    All(Vec<Predicate<T>>),
    Not(Box<Predicate<T>>),
}

#[derive(Debug, PartialEq)]
pub enum TextPredicate {
    AnyOf(Vec<Box<str>>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
}

#[derive(Debug, PartialEq)]
pub enum NumberPredicate {
    AnyOf(Vec<f64>),
    Below(f64),
    AtLeast(f64),
}

/// Versions that were readable when the flag was.
#[derive(Debug, PartialEq)]
pub enum VersionPredicate {
    AnyOf(Vec<Box<str>>),
    Below(Box<str>),
    AtLeast(Box<str>),
}

#[derive(Debug, PartialEq)]
pub enum BooleanPredicate {
    Is(bool),
}

impl Condition {
    /// The result of the condition for one user. `segments` are the flag's, `trust` decides which
    /// addresses count.
    pub fn evaluate(
        &self,
        context: &Context<'_>,
        segments: &[Arc<Segment>],
        trust: Trust,
    ) -> MatchResult {
        all(self.parts.iter().map(|part| part.evaluate(context, segments, trust)))
    }
}

impl Clause {
    pub fn evaluate(
        &self,
        context: &Context<'_>,
        segments: &[Arc<Segment>],
        trust: Trust,
    ) -> MatchResult {
        match self {
            Clause::Attribute { name, comparison } => comparison.evaluate(name, context, trust),
            Clause::Segment(any) => {
                any.iter().any(|index| segments[*index].members.contain(context, trust)).into()
            }
            Clause::Not(condition) => condition.evaluate(context, segments, trust).not(),
        }
    }
}

impl Comparison {
    fn evaluate(&self, name: &AttributeName, context: &Context<'_>, trust: Trust) -> MatchResult {
        let Some(value) = context.attribute(name.as_str()) else { return MatchResult::Missing };
        match (self, value) {
            (Comparison::Text(test), Value::Text(text)) => test.evaluate(&|test| test.holds(text)),
            (Comparison::Email(_), _)
                if trust == Trust::Verified && !context.email_is_verified() =>
            {
                MatchResult::Missing
            }
            (Comparison::Email(test), Value::Text(_)) => match context.address() {
                Some(address) => {
                    address.folded(|address| test.evaluate(&|test| test.holds(address)))
                }
                None => MatchResult::Missing,
            },
            (Comparison::Number(test), Value::Number(number)) => {
                test.evaluate(&|test| test.holds(*number))
            }
            (Comparison::Version(test), Value::Text(text)) => match Version::new(text) {
                Some(version) => test.evaluate(&|test| test.holds(version)),
                None => MatchResult::Error,
            },
            (Comparison::Boolean(test), Value::Bool(is)) => {
                test.evaluate(&|BooleanPredicate::Is(wanted)| wanted == is)
            }
            _ => MatchResult::Error,
        }
    }
}

impl<T> Predicate<T> {
    fn evaluate(&self, holds: &impl Fn(&T) -> bool) -> MatchResult {
        match self {
            Predicate::One(test) => holds(test).into(),
            Predicate::All(tests) => all(tests.iter().map(|test| test.evaluate(holds))),
            Predicate::Not(test) => test.evaluate(holds).not(),
        }
    }
}

impl TextPredicate {
    fn holds(&self, text: &str) -> bool {
        match self {
            TextPredicate::AnyOf(any) => any.iter().any(|one| **one == *text),
            TextPredicate::StartsWith(start) => text.starts_with(&**start),
            TextPredicate::EndsWith(end) => text.ends_with(&**end),
        }
    }
}

impl NumberPredicate {
    fn holds(&self, number: f64) -> bool {
        match self {
            NumberPredicate::AnyOf(any) => any.contains(&number),
            NumberPredicate::Below(limit) => number < *limit,
            NumberPredicate::AtLeast(limit) => number >= *limit,
        }
    }
}

impl VersionPredicate {
    fn holds(&self, version: Version<'_>) -> bool {
        // Unreadable limits are refused with the file; one that got here would match no user.
        let compare = |limit: &str, wanted: fn(std::cmp::Ordering) -> bool| {
            Version::new(limit).is_some_and(|limit| wanted(version.cmp(&limit)))
        };
        match self {
            VersionPredicate::AnyOf(any) => {
                any.iter().any(|one| compare(one, std::cmp::Ordering::is_eq))
            }
            VersionPredicate::Below(limit) => compare(limit, std::cmp::Ordering::is_lt),
            VersionPredicate::AtLeast(limit) => compare(limit, std::cmp::Ordering::is_ge),
        }
    }
}

/// "And": one false part settles it, whatever else is missing or wrong.
fn all(mut parts: impl Iterator<Item = MatchResult>) -> MatchResult {
    parts
        .try_fold(MatchResult::True, |so_far, part| {
            if part == MatchResult::False { Err(part) } else { Ok(so_far.min(part)) }
        })
        .unwrap_or(MatchResult::False)
}

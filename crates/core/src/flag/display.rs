//! Parts of a definition as text, in one order whatever order they were written in: equal texts
//! mean the same.
//!
//! For comparing and for display. Lists of users are never printed; the addresses in a condition
//! are printed only for comparing.

use std::fmt::Display;
use std::time::Duration;

use super::condition::{
    BooleanPredicate, Clause, Comparison, Condition, NumberPredicate, Predicate, TextPredicate,
    VersionPredicate,
};
use super::key::SegmentKey;
use super::model::AttributeType;

/// Whether addresses are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// For comparing.
    Written,
    /// For display.
    Counted,
}

/// `plan in [enterprise, team] and not (segment in [beta])`.
pub fn condition(condition: &Condition, segments: &[SegmentKey], addresses: Addresses) -> String {
    let part = |part: &Clause| match part {
        Clause::Attribute { name, comparison } => {
            self::comparison(name.as_str(), comparison, addresses)
        }
        Clause::Segment(any) => {
            format!("segment in {}", names(any.iter().filter_map(|index| segments.get(*index))))
        }
        Clause::Not(inner) => format!("not ({})", self::condition(inner, segments, addresses)),
    };
    joined(condition.parts.iter().map(part))
}

/// `[beta, staff]`, each once.
pub fn names(names: impl Iterator<Item = impl Display>) -> String {
    let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
    names.sort_unstable();
    names.dedup();
    format!("[{}]", names.join(", "))
}

/// `text`, or the words it may be.
pub fn attribute_type(kind: &AttributeType) -> String {
    match kind {
        AttributeType::Words(words) => names(words.iter()),
        AttributeType::Text => "text".to_owned(),
        AttributeType::Number => "number".to_owned(),
        AttributeType::Version => "version".to_owned(),
        AttributeType::Boolean => "boolean".to_owned(),
    }
}

/// `500ms`, `4s`, `10m`, `2h`, `1d`.
pub fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole =
        units.into_iter().find(|(_, unit)| milliseconds > 0 && milliseconds.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{milliseconds}ms"),
        |(name, unit)| format!("{}{name}", milliseconds / unit),
    )
}

fn comparison(name: &str, comparison: &Comparison, addresses: Addresses) -> String {
    match comparison {
        Comparison::Text(test) => written(name, test, &text),
        Comparison::Email(test) if addresses == Addresses::Written => written(name, test, &text),
        Comparison::Email(test) => written(name, test, &|test| match test {
            TextPredicate::AnyOf(any) => format!("in [{} addresses]", any.len()),
            TextPredicate::StartsWith(_) => "starts_with …".to_owned(),
            TextPredicate::EndsWith(_) => "ends_with …".to_owned(),
        }),
        Comparison::Number(test) => written(name, test, &|test| match test {
            NumberPredicate::AnyOf(any) => format!("in {}", names(any.iter())),
            NumberPredicate::Below(limit) => format!("below {limit}"),
            NumberPredicate::AtLeast(limit) => format!("at_least {limit}"),
        }),
        Comparison::Version(test) => written(name, test, &|test| match test {
            VersionPredicate::AnyOf(any) => format!("in {}", names(any.iter())),
            VersionPredicate::Below(limit) => format!("below {limit}"),
            VersionPredicate::AtLeast(limit) => format!("at_least {limit}"),
        }),
        Comparison::Boolean(test) => {
            written(name, test, &|BooleanPredicate::Is(wanted)| format!("= {wanted}"))
        }
    }
}

/// Values are quoted, so that one value can never look like two.
fn text(test: &TextPredicate) -> String {
    match test {
        TextPredicate::AnyOf(any) => {
            format!("in {}", names(any.iter().map(|value| format!("{value:?}"))))
        }
        TextPredicate::StartsWith(start) => format!("starts_with {start:?}"),
        TextPredicate::EndsWith(end) => format!("ends_with {end:?}"),
    }
}

fn written<T>(name: &str, test: &Predicate<T>, leaf: &impl Fn(&T) -> String) -> String {
    match test {
        Predicate::One(test) => format!("{name} {}", leaf(test)),
        Predicate::All(tests) => joined(tests.iter().map(|test| written(name, test, leaf))),
        Predicate::Not(test) => format!("not ({})", written(name, test, leaf)),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.collect();
    parts.sort_unstable();
    parts.join(" and ")
}

//! Runs one case. The finding of a case that fails says what was expected, what was answered, and
//! what to change.

use std::sync::Arc;

use super::finding::{Code, Finding};
use super::test_case::{Answer, By, Case};
use crate::flag::{Definition, Segment, SegmentKey, Share, Step};

/// How many segments of the flag are tried for the help of one case, and how many are named.
const MAX_SEGMENTS_TRIED: usize = 16;
const MAX_SEGMENTS_NAMED: usize = 3;

impl Case {
    /// The finding of a case that fails. `empty` are the definition's segments without members.
    pub fn run(
        &self,
        file: &str,
        definition: &Arc<Definition>,
        empty: &[Arc<Segment>],
    ) -> Option<Finding> {
        let answer = self.answer(definition, self.pretended(empty, &self.segments));
        (!self.accepts(answer)).then(|| failure(self, file, definition, answer, empty))
    }
}

fn failure(
    case: &Case,
    file: &str,
    definition: &Arc<Definition>,
    answer: Answer,
    empty: &[Arc<Segment>],
) -> Finding {
    let name_of = |index: usize| definition.rules.get(index).map_or("?", |rule| rule.name.as_str());
    let expected_by = match case.by {
        Some(By::Step(step)) => format!(" by {step}"),
        Some(By::Rule(index)) => format!(" by {}", name_of(index)),
        None => String::new(),
    };
    let got = answer.resolution;
    let got_by = match (got.step, answer.rule) {
        (Step::Rule, Some(index)) => name_of(index),
        (step, _) => step.as_str(),
    };
    let name = case.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    // `enabled: false` is no reason to fail: the case fails when the flag is enabled again.
    let (as_enabled, or_stop) = if definition.enabled || got.step == Step::Off {
        ("", String::new())
    } else {
        let stop =
            format!("; to switch it off whatever its tests say: turnout stop {}", definition.key);
        (", if it were enabled", stop)
    };
    let message = format!(
        "test failed{name}: expected {}{expected_by}, got {} by {got_by}{as_enabled}",
        case.expect, got.strategy
    );
    let to_write = if got.strategy == case.expect {
        format!("by: {got_by}")
    } else {
        format!("expect: {}", got.strategy)
    };
    let why = segments_missed(case, definition, empty)
        .or_else(|| why(case, definition, answer))
        .map(|why| format!("{why}; "))
        .unwrap_or_default();
    Finding { place: Some(case.place), ..Finding::of_file(file, Code::FailedTest, message) }
        .with_hint(format!("{why}if the flag is right, write `{to_write}`{or_stop}"))
}

/// The segments of the flag in which the user would have to be for the case to pass, where the case
/// names none.
fn segments_missed(
    case: &Case,
    definition: &Arc<Definition>,
    empty: &[Arc<Segment>],
) -> Option<String> {
    if case.user.is_none() || !case.segments.is_empty() {
        return None;
    }
    let tried = empty.iter().take(MAX_SEGMENTS_TRIED).map(|segment| &segment.key);
    let would_pass = |key: &&SegmentKey| {
        let segments = case.pretended(empty, std::slice::from_ref(*key));
        case.accepts(case.answer(definition, segments))
    };
    let named: Vec<String> = tried
        .filter(would_pass)
        .take(MAX_SEGMENTS_NAMED)
        .map(|key| format!("`segments: [{key}]`"))
        .collect();
    let named = (!named.is_empty()).then(|| named.join(" or "))?;
    Some(format!("tests do not read segments: if the user is in one, say so with {named}"))
}

/// What the answer came from, if that is not in the message.
fn why(case: &Case, definition: &Definition, answer: Answer) -> Option<String> {
    match answer.resolution.step {
        Step::Off => Some("`enabled: false` serves `when_stopped`".to_owned()),
        Step::Error => {
            Some("an attribute under `with` is not of the type that the flag declares".to_owned())
        }
        Step::NoUnit => Some(match &definition.bucket_by {
            None => "the rollout needs a `user` or a `bucket`".to_owned(),
            Some(name) => format!("the rollout needs `{name}` under `with`, or a `bucket`"),
        }),
        Step::Rollout => of_rollout(case, definition),
        _ => None,
    }
}

fn of_rollout(case: &Case, definition: &Definition) -> Option<String> {
    let split = definition.rollout?;
    if split.single_strategy(definition.default).is_some() {
        return Some(format!("the rollout gives all buckets the same at {}", split.realtime()));
    }
    let disabled = match split.disabled() {
        Share::NONE => String::new(),
        share => format!(", and disabled the last {share}"),
    };
    let bucket = case.bucket_taken(definition)?.number();
    let first = split.realtime();
    Some(format!(
        "bucket {bucket} of 100000 decided, and realtime-v2 has the first {first}{disabled}"
    ))
}

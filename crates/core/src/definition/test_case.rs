//! One test of a flag: a case it must pass before it goes live.
//!
//! Tests run against the definition alone: without an override, without the server-auth clamp, and
//! with only the segments that the case names. So neither an operator nor an edit of a segment can
//! make them fail.

use std::borrow::Cow;
use std::sync::Arc;

use super::finding::{Code, Finding, SourceSpan};
use crate::flag::{
    Bucket, Context, Definition, EvaluationTracer, Flag, IdSet, Identity, MatchResult, Members,
    Resolution, Segment, SegmentKey, Segments, ServerAuth, Step, Strategy, TargetingKey, Value,
    bucket_for, evaluate_traced,
};

/// One test of a flag.
#[derive(Debug)]
pub struct Case {
    pub(super) place: SourceSpan,
    /// The case's name in a table.
    pub(super) name: Option<String>,
    pub(super) user: Option<String>,
    /// The bucket to use in the place of the hash.
    pub(super) bucket: Option<Bucket>,
    pub(super) segments: Vec<SegmentKey>,
    pub(super) attributes: Vec<(Cow<'static, str>, Value<'static>)>,
    pub(super) identity: Identity,
    pub(super) expect: Strategy,
    pub(super) by: Option<By>,
}

/// The step that must have decided.
#[derive(Debug, PartialEq)]
pub(super) enum By {
    Step(Step),
    /// The rule at this place in the list.
    Rule(usize),
}

impl Case {
    /// The finding of a case that fails. `empty` are the definition's segments without members.
    pub fn run(
        &self,
        file: &str,
        definition: &Arc<Definition>,
        empty: &[Arc<Segment>],
    ) -> Option<Finding> {
        let flag = Flag::as_written(definition.clone(), self.pretended_segments(empty));
        // A key that is too long was refused when the file was read.
        let user = self.user.as_deref().and_then(|user| TargetingKey::parse(user).ok().flatten());
        let context = Context::new(self.identity, user, &self.attributes);
        let mut matched = MatchedRule(None);
        let answer = evaluate_traced(&flag, &context, ServerAuth::Off, self.bucket, &mut matched);
        let by = self.by.as_ref().is_none_or(|by| match by {
            By::Step(step) => answer.step == *step,
            By::Rule(index) => answer.step == Step::Rule && matched.0 == Some(*index),
        });
        let bucket = || match self.bucket {
            Some(bucket) => Some(bucket),
            None => bucket_for(definition, &context).map(|placed| placed.bucket),
        };
        (answer.strategy != self.expect || !by)
            .then(|| self.failure(file, definition, (answer, matched.0), bucket()))
    }

    fn failure(
        &self,
        file: &str,
        definition: &Definition,
        (answer, matched): (Resolution, Option<usize>),
        bucket: Option<Bucket>,
    ) -> Finding {
        let name_of =
            |index: usize| definition.rules.get(index).map_or("?", |rule| rule.name.as_str());
        let expected_by = match self.by {
            Some(By::Step(step)) => format!(" by {step}"),
            Some(By::Rule(index)) => format!(" by {}", name_of(index)),
            None => String::new(),
        };
        let got_by = match (answer.step, matched) {
            (Step::Rule, Some(index)) => name_of(index),
            (step, _) => step.as_str(),
        };
        let name = self.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let message = format!(
            "test failed{name}: expected {}{expected_by}, got {} by {got_by}",
            self.expect, answer.strategy
        );
        let finding = Finding {
            place: Some(self.place),
            ..Finding::of_file(file, Code::FailedTest, message)
        };
        let of_segments = self.segments_missed(definition, answer).map(|names| {
            format!("tests do not read segments: if the user is in one, say so with `segments: [{names}]`")
        });
        let of_bucket = bucket.zip(definition.rollout).filter(|_| answer.step == Step::Rollout);
        let of_bucket = of_bucket.map(|(bucket, split)| {
            format!(
                "bucket {} of 100000 decided, and realtime-v2 has the first {}",
                bucket.number(),
                split.realtime()
            )
        });
        let hints: Vec<String> = of_segments.into_iter().chain(of_bucket).collect();
        if hints.is_empty() { finding } else { finding.with_hint(hints.join("; ")) }
    }

    /// The segments that the flag names, if the case may have meant one of them and names none.
    fn segments_missed(&self, definition: &Definition, answer: Resolution) -> Option<String> {
        let is_after = !matches!(answer.step, Step::Stop | Step::Off | Step::Deny | Step::Allow);
        let meant = self.user.is_some() && self.segments.is_empty() && is_after;
        let names = definition.segments.iter().map(ToString::to_string).collect::<Vec<_>>();
        (meant && !names.is_empty()).then(|| names.join(", "))
    }

    /// Segments that contain the case's user where the case says so, and are empty otherwise.
    fn pretended_segments(&self, empty: &[Arc<Segment>]) -> Segments {
        let Some(user) = self.user.as_deref().filter(|_| !self.segments.is_empty()) else {
            return Segments::Known(empty.to_vec());
        };
        let segment = |empty: &Arc<Segment>| {
            if self.segments.contains(&empty.key) {
                Arc::new(Segment {
                    key: empty.key.clone(),
                    members: Members { users: IdSet::from_iter([user]), ..Members::default() },
                })
            } else {
                empty.clone()
            }
        };
        Segments::Known(empty.iter().map(segment).collect())
    }
}

/// Remembers which rule matched.
struct MatchedRule(Option<usize>);

impl EvaluationTracer for MatchedRule {
    fn record(&mut self, step: Step, index: Option<usize>, state: MatchResult) {
        if step == Step::Rule && state == MatchResult::True {
            self.0 = index;
        }
    }
}

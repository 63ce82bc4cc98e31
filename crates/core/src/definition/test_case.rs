//! One test of a flag: a case it must pass before it goes live.
//!
//! Tests run against the definition alone: without an override, without the server-auth clamp, and
//! with only the segments that the case names. So neither an operator nor an edit of a segment can
//! make them fail. Nor does `enabled: false`: a test says what the flag answers when it runs, unless
//! it expects `by: off`.

use std::borrow::Cow;
use std::sync::Arc;

use super::finding::SourceSpan;
use crate::flag::{
    Bucket, Context, Definition, EvaluationTracer, Flag, IdSet, Identity, MatchResult, Members,
    Resolution, Segment, SegmentKey, Segments, ServerAuth, Step, Strategy, TargetingKey, Value,
    bucket_for, evaluate_as_enabled, evaluate_traced,
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

/// What a case was answered.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub resolution: Resolution,
    /// The place of the rule that matched.
    pub rule: Option<usize>,
}

impl Case {
    /// The answer to the case in these segments. A flag with `enabled: false` gives two: what it
    /// serves, and what it would serve if it were enabled. The first is the answer where it is the
    /// one that is expected, or where the case is about that.
    pub(super) fn answer(&self, definition: &Arc<Definition>, segments: Segments) -> Answer {
        let flag = Flag::as_written(definition.clone(), segments);
        let mut matched = MatchedRule(None);
        let resolution =
            evaluate_traced(&flag, &self.context(), ServerAuth::Off, self.bucket, &mut matched);
        let written = Answer { resolution, rule: matched.0 };
        if definition.enabled || self.by == Some(By::Step(Step::Off)) || self.accepts(written) {
            return written;
        }
        let resolution = evaluate_as_enabled(&flag, &self.context(), self.bucket, &mut matched);
        Answer { resolution, rule: matched.0 }
    }

    pub(super) fn accepts(&self, Answer { resolution, rule }: Answer) -> bool {
        let by = self.by.as_ref().is_none_or(|by| match by {
            By::Step(step) => resolution.step == *step,
            By::Rule(index) => resolution.step == Step::Rule && rule == Some(*index),
        });
        by && resolution.strategy == self.expect
    }

    /// The bucket that a rollout takes.
    pub(super) fn bucket_taken(&self, definition: &Definition) -> Option<Bucket> {
        self.bucket.or_else(|| bucket_for(definition, &self.context()).map(|placed| placed.bucket))
    }

    fn context(&self) -> Context<'_> {
        // A key that is too long was refused when the file was read.
        let user = self.user.as_deref().and_then(|user| TargetingKey::parse(user).ok().flatten());
        Context::new(self.identity, user, &self.attributes)
    }

    /// Segments that contain the case's user where they are among `named`, and are empty otherwise.
    pub(super) fn pretended(&self, empty: &[Arc<Segment>], named: &[SegmentKey]) -> Segments {
        let Some(user) = self.user.as_deref().filter(|_| !named.is_empty()) else {
            return Segments::Known(empty.to_vec());
        };
        let segment = |empty: &Arc<Segment>| {
            if named.contains(&empty.key) {
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

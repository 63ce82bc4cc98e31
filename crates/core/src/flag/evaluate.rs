//! The precedence of law 4: the one place where a strategy is decided.
//!
//! It reads a flag and a context and nothing else: no clock, no randomness, no allocation. Every
//! step is reported to an [`EvaluationTracer`], so `explain` reports from the very code that
//! serves.

use std::sync::Arc;

use super::bucket::{Bucket, Unit, bucket, hash};
use super::condition::{Condition, MatchResult};
use super::context::{Context, Value};
use super::model::{Audience, Definition, Entry, Flag, Segments};
use super::resolution::{Reason, Resolution, Step};
use super::segment::{Segment, Trust};
use super::strategy::Strategy;

/// Whether `realtime-v2` can be served: not in server-auth mode without a token hand-off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerAuth {
    #[default]
    Off,
    WithoutHandOff,
}

impl ServerAuth {
    /// What every screen says while `realtime-v2` cannot be served.
    pub const CLAMPS: &str = "server-auth mode: clients get polling for every realtime-v2";

    /// Server-auth mode ends where clients are given something other than the raw key.
    pub fn of(server_auth: bool, hand_off: bool) -> ServerAuth {
        if server_auth && !hand_off { ServerAuth::WithoutHandOff } else { ServerAuth::Off }
    }

    /// Whether every `realtime-v2` is answered `polling`.
    pub fn clamps(self) -> bool {
        self == ServerAuth::WithoutHandOff
    }
}

/// Receives the result of each step. `()` ignores them at no cost.
pub trait EvaluationTracer {
    /// `index` is the position of the entry or rule in its list.
    fn record(&mut self, step: Step, index: Option<usize>, result: MatchResult);
}

impl EvaluationTracer for () {
    #[inline]
    fn record(&mut self, _: Step, _: Option<usize>, _: MatchResult) {}
}

/// Where the hash of a flag's unit falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// `None` for a bucket that the caller chose.
    pub hash: Option<u32>,
    pub bucket: Bucket,
}

/// The strategy of one user, and why.
///
/// ```
/// use turnout_core::definition::{DefinitionSet, FlagFiles};
/// use turnout_core::flag::{Context, Flag, Identity, ServerAuth, Step, Strategy, TargetingKey, evaluate};
///
/// let mut set = DefinitionSet::default();
/// let chat = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 100% }\n";
/// assert!(set.update(&FlagFiles::of([("chat.yaml", chat)])).is_empty());
/// let (definition, segments) = set.flags().next().unwrap().1.unwrap();
/// let flag = Flag::as_written(definition, segments);
///
/// let context = Context::new(Identity::Plain, TargetingKey::parse("u-1").unwrap(), &[]);
/// let answer = evaluate(&flag, &context, ServerAuth::Off);
/// assert_eq!((answer.strategy, answer.step), (Strategy::RealtimeV2, Step::Rollout));
/// ```
#[inline]
pub fn evaluate(flag: &Flag, context: &Context<'_>, server_auth: ServerAuth) -> Resolution {
    evaluate_traced(flag, context, server_auth, None, &mut ())
}

/// Like [`evaluate`], reporting each step to `tracer`; `bucket` overrides the hash.
pub fn evaluate_traced(
    flag: &Flag,
    context: &Context<'_>,
    server_auth: ServerAuth,
    bucket: Option<Bucket>,
    tracer: &mut impl EvaluationTracer,
) -> Resolution {
    let answer = evaluate_steps(flag, context, bucket, tracer);
    let clamped = server_auth.clamps() && answer.strategy == Strategy::RealtimeV2;
    tracer.record(Step::ServerAuth, None, clamped.into());
    if clamped { Resolution::fixed(Strategy::Polling, Step::ServerAuth) } else { answer }
}

/// The bucket of the user for this flag; `None` without a usable unit.
pub fn bucket_for(definition: &Definition, context: &Context<'_>) -> Option<Placement> {
    let hash = hash(&definition.salt, unit(definition, context)?);
    Some(Placement { hash: Some(hash), bucket: bucket(hash) })
}

fn evaluate_steps(
    flag: &Flag,
    context: &Context<'_>,
    bucket: Option<Bucket>,
    tracer: &mut impl EvaluationTracer,
) -> Resolution {
    let definition = &*flag.definition;

    tracer.record(Step::Stop, None, flag.stopped.into());
    if flag.stopped {
        return Resolution::fixed(definition.when_stopped, Step::Stop);
    }
    tracer.record(Step::Off, None, (!definition.enabled).into());
    if !definition.enabled {
        return Resolution::fixed(definition.when_stopped, Step::Off);
    }
    evaluate_as_enabled(flag, context, bucket, tracer)
}

/// The answer of a flag that runs: like [`evaluate_traced`], without regard to a stop, to
/// `enabled: false` and to server-auth mode.
pub fn evaluate_as_enabled(
    flag: &Flag,
    context: &Context<'_>,
    bucket: Option<Bucket>,
    tracer: &mut impl EvaluationTracer,
) -> Resolution {
    let definition = &*flag.definition;
    let Segments::Known(segments) = &flag.segments else {
        tracer.record(Step::Error, None, MatchResult::Error);
        return Resolution::ERROR;
    };

    for (step, entries, trust) in [
        (Step::Deny, &definition.deny, Trust::Any),
        (Step::Allow, &definition.allow, Trust::Verified),
    ] {
        for (index, entry) in entries.iter().enumerate() {
            let result = evaluate_entry(entry, context, segments, trust);
            tracer.record(step, Some(index), result);
            match result {
                MatchResult::True => return Resolution::targeted(entry.strategy, step),
                MatchResult::Error => return Resolution::ERROR,
                MatchResult::False | MatchResult::Missing => {}
            }
        }
    }
    for (index, rule) in definition.rules.iter().enumerate() {
        let result = rule.when.evaluate(context, segments, Trust::Verified);
        tracer.record(Step::Rule, Some(index), result);
        match result {
            MatchResult::True => return Resolution::targeted(rule.strategy, Step::Rule),
            MatchResult::Error => return Resolution::ERROR,
            MatchResult::False | MatchResult::Missing => {}
        }
    }
    evaluate_rollout(flag, context, bucket, tracer)
}

/// Evaluates the rollout, which serves everything that deny, allow and rules left over.
fn evaluate_rollout(
    flag: &Flag,
    context: &Context<'_>,
    bucket: Option<Bucket>,
    tracer: &mut impl EvaluationTracer,
) -> Resolution {
    let definition = &*flag.definition;
    let Some(split) = flag.rollout else {
        tracer.record(Step::Default, None, MatchResult::True);
        return Resolution::fixed(definition.default, Step::Default);
    };
    if let Some(sole) = split.single_strategy(definition.default) {
        tracer.record(Step::Rollout, None, MatchResult::True);
        return Resolution::fixed(sole, Step::Rollout);
    }
    let Some(bucket) = bucket.or_else(|| bucket_for(definition, context).map(|place| place.bucket))
    else {
        tracer.record(Step::NoUnit, None, MatchResult::True);
        return Resolution {
            strategy: definition.default.into(),
            step: Step::NoUnit,
            reason: Reason::Default,
        };
    };
    tracer.record(Step::Rollout, None, MatchResult::True);
    Resolution {
        strategy: split.strategy(bucket, definition.default),
        step: Step::Rollout,
        reason: Reason::Split,
    }
}

fn evaluate_entry(
    entry: &Entry,
    context: &Context<'_>,
    segments: &[Arc<Segment>],
    trust: Trust,
) -> MatchResult {
    match &entry.who {
        Some(who) if !who.contains(context, segments, trust) => MatchResult::False,
        _ => entry
            .when
            .as_ref()
            .map_or(MatchResult::True, |when: &Condition| when.evaluate(context, segments, trust)),
    }
}

impl Audience {
    fn contains(&self, context: &Context<'_>, segments: &[Arc<Segment>], trust: Trust) -> bool {
        self.members.contain(context, trust)
            || self.segments.iter().any(|index| segments[*index].members.contain(context, trust))
    }
}

fn unit<'a>(definition: &Definition, context: &Context<'a>) -> Option<Unit<'a>> {
    match &definition.bucket_by {
        None => Unit::new(context.targeting_key()?.as_str()),
        Some(attribute) => match context.attribute(attribute.as_str()) {
            Some(Value::Text(text)) => Unit::new(text),
            _ => None,
        },
    }
}

//! The ladder (law 4): the one place where a strategy is decided.
//!
//! It reads a flag and a context and nothing else: no clock, no randomness, no allocation. A [`Witness`] is told of every step,
//! so `explain` tells its story from the very code that serves.

use std::sync::Arc;

use super::bucket::{Bucket, Unit, bucket, hash};
use super::condition::{Condition, Truth};
use super::context::{Context, Value};
use super::model::{Definition, Entry, Flag, Segments, Who};
use super::resolution::{Reason, Resolution, Step};
use super::segment::{Segment, Trust};
use super::strategy::Strategy;

/// Whether `realtime-v2` can be handed out at all: in server-auth mode without a token hand-off it cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerAuth {
    #[default]
    Off,
    WithoutHandOff,
}

/// Hears what each step came to. `()` hears nothing and costs nothing.
pub trait Witness {
    /// `index` is the entry's or rule's place in its list.
    fn saw(&mut self, step: Step, index: Option<usize>, truth: Truth);
}

impl Witness for () {
    #[inline]
    fn saw(&mut self, _: Step, _: Option<usize>, _: Truth) {}
}

/// Where the hash of a flag's unit falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// `None` for a bucket that was pretended.
    pub hash: Option<u32>,
    pub bucket: Bucket,
}

/// The strategy of one asker, and why.
///
/// ```
/// use turnout::definition::{Contents, Library};
/// use turnout::flag::{Context, Flag, Identity, ServerAuth, Step, Strategy, TargetingKey, evaluate};
///
/// let mut library = Library::default();
/// let chat = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 100% }\n";
/// assert!(library.update(&Contents::of([("chat.yaml", chat)])).is_empty());
/// let (definition, segments) = library.flags().next().unwrap().1.unwrap();
/// let flag = Flag::as_written(definition, segments);
///
/// let context = Context::new(Identity::Plain, TargetingKey::parse("u-1").unwrap(), &[]);
/// let answer = evaluate(&flag, &context, ServerAuth::Off);
/// assert_eq!((answer.strategy, answer.step), (Strategy::RealtimeV2, Step::Rollout));
/// ```
pub fn evaluate(flag: &Flag, context: &Context<'_>, server_auth: ServerAuth) -> Resolution {
    evaluate_before(flag, context, server_auth, None, &mut ())
}

/// As [`evaluate`], before a witness, and with a pretended bucket if one is given.
pub fn evaluate_before(
    flag: &Flag,
    context: &Context<'_>,
    server_auth: ServerAuth,
    pretend: Option<Bucket>,
    witness: &mut impl Witness,
) -> Resolution {
    let answer = climb(flag, context, pretend, witness);
    let clamped = server_auth == ServerAuth::WithoutHandOff && answer.strategy == Strategy::RealtimeV2;
    witness.saw(Step::ServerAuth, None, clamped.into());
    if clamped { Resolution::fixed(Strategy::Polling, Step::ServerAuth) } else { answer }
}

/// Where the asker falls in the flag's buckets; `None` without a usable unit.
pub fn place(definition: &Definition, context: &Context<'_>) -> Option<Placement> {
    let hash = hash(&definition.salt, unit(definition, context)?);
    Some(Placement { hash: Some(hash), bucket: bucket(hash) })
}

fn climb(flag: &Flag, context: &Context<'_>, pretend: Option<Bucket>, witness: &mut impl Witness) -> Resolution {
    let definition = &*flag.definition;

    witness.saw(Step::Stop, None, flag.stopped.into());
    if flag.stopped {
        return Resolution::fixed(definition.when_stopped, Step::Stop);
    }
    witness.saw(Step::Off, None, (!definition.enabled).into());
    if !definition.enabled {
        return Resolution::fixed(definition.when_stopped, Step::Off);
    }
    let Segments::Known(segments) = &flag.segments else {
        witness.saw(Step::Error, None, Truth::Error);
        return Resolution::ERROR;
    };

    for (step, entries, trust) in
        [(Step::Deny, &definition.deny, Trust::Any), (Step::Allow, &definition.allow, Trust::Verified)]
    {
        for (index, entry) in entries.iter().enumerate() {
            let truth = entry_truth(entry, context, segments, trust);
            witness.saw(step, Some(index), truth);
            match truth {
                Truth::True => return Resolution::targeted(entry.strategy, step),
                Truth::Error => return Resolution::ERROR,
                Truth::False | Truth::Missing => {}
            }
        }
    }
    for (index, rule) in definition.rules.iter().enumerate() {
        let truth = rule.when.truth(context, segments, Trust::Verified);
        witness.saw(Step::Rule, Some(index), truth);
        match truth {
            Truth::True => return Resolution::targeted(rule.strategy, Step::Rule),
            Truth::Error => return Resolution::ERROR,
            Truth::False | Truth::Missing => {}
        }
    }
    roll_out(flag, context, pretend, witness)
}

/// What deny, allow and rules left over.
fn roll_out(flag: &Flag, context: &Context<'_>, pretend: Option<Bucket>, witness: &mut impl Witness) -> Resolution {
    let definition = &*flag.definition;
    let Some(split) = flag.rollout else {
        witness.saw(Step::Default, None, Truth::True);
        return Resolution::fixed(definition.default, Step::Default);
    };
    if let Some(sole) = split.sole(definition.default) {
        witness.saw(Step::Rollout, None, Truth::True);
        return Resolution::fixed(sole, Step::Rollout);
    }
    let Some(bucket) = pretend.or_else(|| place(definition, context).map(|place| place.bucket)) else {
        witness.saw(Step::NoUnit, None, Truth::True);
        return Resolution { strategy: definition.default.into(), step: Step::NoUnit, reason: Reason::Default };
    };
    witness.saw(Step::Rollout, None, Truth::True);
    Resolution { strategy: split.strategy(bucket, definition.default), step: Step::Rollout, reason: Reason::Split }
}

fn entry_truth(entry: &Entry, context: &Context<'_>, segments: &[Arc<Segment>], trust: Trust) -> Truth {
    match &entry.who {
        Some(who) if !who.contains(context, segments, trust) => Truth::False,
        _ => entry.when.as_ref().map_or(Truth::True, |when: &Condition| when.truth(context, segments, trust)),
    }
}

impl Who {
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

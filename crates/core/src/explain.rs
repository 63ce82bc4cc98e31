//! Explains one evaluation, reported by the code that serves: every step that was evaluated, and
//! the one that decided. Floor 1, pure, so that the command line and a server print the same.

use std::borrow::Cow;

use turnout_api::admin::explain::{Explanation, IdentityName, StepResult, TraceStep};

use crate::definition::attribute_notes;
use crate::display_text;
use crate::flag::{
    AttributeName, Bucket, Clause, Condition, Context, Definition, EvaluationTracer, Flag, FlagKey,
    Identity, MatchResult, Placement, Resolution, Segments, ServerAuth, Step, Strategy, Trust,
    bucket_for, evaluate_traced,
};

impl From<Identity> for IdentityName {
    fn from(identity: Identity) -> IdentityName {
        match identity {
            Identity::Verified => IdentityName::Verified,
            Identity::Server => IdentityName::Server,
            Identity::Plain => IdentityName::Plain,
        }
    }
}

fn step_result(result: MatchResult) -> StepResult {
    match result {
        MatchResult::True => StepResult::Yes,
        MatchResult::False => StepResult::No,
        MatchResult::Missing => StepResult::Missing,
        MatchResult::Error => StepResult::Error,
    }
}

/// What this flag answers to this user, and why; `bucket` overrides the hash.
pub fn explain(
    flag: &Flag,
    context: &Context<'_>,
    server_auth: ServerAuth,
    bucket: Option<Bucket>,
) -> Explanation {
    let mut trace = TraceRecorder::default();
    let answer = evaluate_traced(flag, context, server_auth, bucket, &mut trace);
    let placement = match bucket {
        Some(bucket) => Some(Placement { hash: None, bucket }),
        None => bucket_for(&flag.definition, context),
    };
    // The clamp is listed only where it can take effect.
    let clamps = server_auth.clamps();
    let steps = trace.0.into_iter().filter(|(step, ..)| clamps || *step != Step::ServerAuth);
    let seen = |(step, index, result): (Step, Option<usize>, MatchResult)| TraceStep {
        step,
        entry: index.map(|index| index + 1),
        name: index
            .filter(|_| step == Step::Rule)
            .and_then(|index| rule_name(&flag.definition, index)),
        result: step_result(result),
        attributes: attributes_at_fault(flag, context, step, index, result),
        decided: decided(answer, step, result),
    };
    Explanation {
        bucket: placement.map(|placement| placement.bucket.number()),
        hash: placement.and_then(|placement| placement.hash),
        salt: Some(flag.definition.salt.to_string()),
        rollout: flag.rollout.map(Into::into),
        default: Some(flag.definition.default.into()),
        steps: steps.map(seen).collect(),
        notes: attribute_notes(&flag.definition, context.attributes())
            .into_iter()
            .chain(without_proof(flag, context, server_auth, bucket, answer))
            .collect(),
        ..without_steps(&flag.definition.key, context.identity(), answer)
    }
}

/// What the answer is without a credential, if it is another one.
fn without_proof(
    flag: &Flag,
    context: &Context<'_>,
    server_auth: ServerAuth,
    bucket: Option<Bucket>,
    proved: Resolution,
) -> Option<String> {
    let credential = match context.identity() {
        Identity::Verified => "session token",
        Identity::Server => "server key",
        Identity::Plain => return None,
    };
    let plain = Context::new(Identity::Plain, context.targeting_key(), context.attributes());
    let answer = evaluate_traced(flag, &plain, server_auth, bucket, &mut TraceRecorder::default());
    let differs = (answer.strategy, answer.step) != (proved.strategy, proved.step);
    differs.then(|| {
        let Resolution { strategy, step, .. } = answer;
        format!("without a {credential}: {strategy}, rule {step} (--identity plain asks so)")
    })
}

/// The attribute whose type ended an evaluation in an error.
pub fn mistyped_attribute<'f>(flag: &'f Flag, context: &Context<'_>) -> Option<&'f AttributeName> {
    let mut trace = TraceRecorder::default();
    evaluate_traced(flag, context, ServerAuth::Off, None, &mut trace);
    let (step, index, _) =
        trace.0.into_iter().find(|(_, _, result)| *result == MatchResult::Error)?;
    names_at_fault(flag, context, step, index, MatchResult::Error).into_iter().next()
}

/// Explains a flag that has no good form.
pub fn without_steps(flag: &FlagKey, identity: Identity, answer: Resolution) -> Explanation {
    Explanation {
        flag: flag.to_string(),
        identity: identity.into(),
        strategy: answer.strategy,
        reason: answer.reason,
        rule: answer.step,
        bucket: None,
        hash: None,
        salt: None,
        rollout: None,
        default: None,
        steps: Vec::new(),
        notes: Vec::new(),
    }
}

/// The explanation as text for people, one step a line.
pub fn text(explanation: &Explanation) -> String {
    let answer = format!(
        "{}   rule {}, reason {}",
        explanation.strategy, explanation.rule, explanation.reason
    );
    let mut text = format!(
        "{}\nasked as {}, {}\n",
        display_text::line(&answer),
        explanation.identity,
        who(explanation.identity)
    );
    match explanation.salt {
        Some(_) => text.push_str(&bucket_line(explanation)),
        None => text.push_str("the flag has no good form, so there are no steps\n"),
    }
    for seen in &explanation.steps {
        let name = match (&seen.name, seen.entry) {
            (Some(name), _) => format!("rule {}", display_text::line(name)),
            (None, Some(entry)) => format!("{} {entry}", seen.step),
            (None, None) => seen.step.to_string(),
        };
        let arrow = if seen.decided { "->" } else { "  " };
        text.push_str(&format!(
            "{arrow} {name:<20} {}\n",
            display_text::line(&why(explanation, seen))
        ));
    }
    for note in &explanation.notes {
        text.push_str(&format!("note: {}\n", display_text::line(note)));
    }
    display_text::lines(&text).into_owned()
}

fn who(identity: IdentityName) -> &'static str {
    match identity {
        IdentityName::Verified => "as if a session token proved the user and the attributes",
        IdentityName::Server => "as if a server key vouched for the user and the attributes",
        IdentityName::Plain => "without a credential, so nothing is proved",
    }
}

fn why(explanation: &Explanation, seen: &TraceStep) -> Cow<'static, str> {
    match (seen.result, &*seen.attributes) {
        (StepResult::Missing, names) => format!("no: {} missing", quoted(names)).into(),
        (StepResult::Error, []) => "a segment it names has no good form".into(),
        (StepResult::Error, names) => {
            format!("{} of another type than declared", quoted(names)).into()
        }
        (StepResult::No, _) => "no".into(),
        (StepResult::Yes, _) => format!("yes: {}", explanation.strategy).into(),
    }
}

fn bucket_line(explanation: &Explanation) -> String {
    let Some(bucket) = explanation.bucket else { return "no usable unit: no bucket\n".to_owned() };
    let salt = explanation.salt.as_deref().unwrap_or_default();
    let hash = explanation
        .hash
        .map_or_else(|| "pretended".to_owned(), |hash| format!("hash {hash}, salt {salt}"));
    let shares = match &explanation.rollout {
        None => "no rollout".to_owned(),
        Some(split) => {
            let disabled = match &*split.disabled {
                "0%" => String::new(),
                disabled => format!("disabled the last {disabled}, "),
            };
            let default = explanation.default.map_or("", Strategy::as_str);
            format!("realtime-v2 has the first {}, {disabled}{default} the rest", split.realtime)
        }
    };
    format!("{}\n", display_text::line(&format!("bucket {bucket} ({hash}): {shares}")))
}

#[derive(Debug, Default)]
struct TraceRecorder(Vec<(Step, Option<usize>, MatchResult)>);

impl EvaluationTracer for TraceRecorder {
    fn record(&mut self, step: Step, index: Option<usize>, result: MatchResult) {
        self.0.push((step, index, result));
    }
}

fn decided(answer: Resolution, step: Step, result: MatchResult) -> bool {
    match result {
        MatchResult::True => step == answer.step,
        MatchResult::Error => answer.step == Step::Error,
        MatchResult::False | MatchResult::Missing => false,
    }
}

fn rule_name(definition: &Definition, index: usize) -> Option<String> {
    definition.rules.get(index).map(|rule| rule.name.to_string())
}

/// The attributes that made a condition missing or an error.
fn attributes_at_fault(
    flag: &Flag,
    context: &Context<'_>,
    step: Step,
    index: Option<usize>,
    result: MatchResult,
) -> Vec<String> {
    let names = names_at_fault(flag, context, step, index, result);
    names.into_iter().map(ToString::to_string).collect()
}

fn names_at_fault<'f>(
    flag: &'f Flag,
    context: &Context<'_>,
    step: Step,
    index: Option<usize>,
    result: MatchResult,
) -> Vec<&'f AttributeName> {
    let definition = &*flag.definition;
    let (Some(index), MatchResult::Missing | MatchResult::Error) = (index, result) else {
        return Vec::new();
    };
    let when = match step {
        Step::Deny => definition.deny.get(index).and_then(|entry| entry.when.as_ref()),
        Step::Allow => definition.allow.get(index).and_then(|entry| entry.when.as_ref()),
        _ => definition.rules.get(index).map(|rule| &rule.when),
    };
    let trust = if step == Step::Deny { Trust::Any } else { Trust::Verified };
    let mut names = Vec::new();
    if let Some(when) = when {
        collect(flag, context, when, trust, result, &mut names);
    }
    names
}

fn collect<'f>(
    flag: &Flag,
    context: &Context<'_>,
    when: &'f Condition,
    trust: Trust,
    result: MatchResult,
    names: &mut Vec<&'f AttributeName>,
) {
    let Segments::Known(segments) = &flag.segments else { return };
    for part in &when.parts {
        match part {
            Clause::Attribute { name, .. } if part.evaluate(context, segments, trust) == result => {
                names.push(name);
            }
            Clause::Not(inner) => collect(flag, context, inner, trust, result, names),
            Clause::Attribute { .. } | Clause::Segment(_) => {}
        }
    }
}

fn quoted(names: &[String]) -> String {
    match names {
        [one] => format!("`{one}` is"),
        many => format!(
            "{} are",
            many.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}

//! Which outcomes a flag can have.

use crate::flag::{Flag, Reason, Resolution, ServerAuth, Step, Strategy};

/// Every resolution that `evaluate` can return for a flag.
pub fn outcomes(flag: Option<&Flag>, server_auth: ServerAuth) -> Vec<Resolution> {
    let Some(flag) = flag else { return vec![Resolution::ERROR, Resolution::STOPPED_UNKNOWN] };
    let definition = &*flag.definition;
    let outcome = |strategy: Strategy, step, reason| Resolution { strategy, step, reason };
    let targeted = |strategy, step| outcome(strategy, step, Reason::TargetingMatch);
    let mut all = vec![
        outcome(definition.when_stopped.into(), Step::Stop, Reason::Static),
        outcome(definition.when_stopped.into(), Step::Off, Reason::Static),
        Resolution::ERROR,
    ];
    all.extend(definition.deny.iter().map(|entry| targeted(entry.strategy, Step::Deny)));
    all.extend(definition.allow.iter().map(|entry| targeted(entry.strategy, Step::Allow)));
    all.extend(definition.rules.iter().map(|rule| targeted(rule.strategy, Step::Rule)));
    match flag.rollout {
        None => all.push(outcome(definition.default.into(), Step::Default, Reason::Static)),
        Some(split) => match split.single_strategy(definition.default) {
            Some(sole) => all.push(outcome(sole, Step::Rollout, Reason::Static)),
            None => {
                all.push(outcome(definition.default.into(), Step::NoUnit, Reason::Default));
                all.extend(
                    Strategy::ALL.map(|strategy| outcome(strategy, Step::Rollout, Reason::Split)),
                );
            }
        },
    }
    if server_auth.clamps() {
        all.push(outcome(Strategy::Polling, Step::ServerAuth, Reason::Static));
    }
    let mut distinct: Vec<Resolution> = Vec::with_capacity(all.len());
    all.into_iter().for_each(|outcome| {
        if !distinct.contains(&outcome) {
            distinct.push(outcome);
        }
    });
    distinct
}

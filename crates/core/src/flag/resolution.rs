//! What an evaluation returns: the strategy, the step that decided, and the OpenFeature reason that
//! step has.

use std::fmt;

use super::strategy::Strategy;

/// A step of the evaluation (law 4); its code is the answer's `rule`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Stop,
    Off,
    Deny,
    Allow,
    Rule,
    Rollout,
    Default,
    NoUnit,
    ServerAuth,
    Error,
    ColdStart,
}

impl Step {
    pub const ALL: [Step; 11] = [
        Step::Stop,
        Step::Off,
        Step::Deny,
        Step::Allow,
        Step::Rule,
        Step::Rollout,
        Step::Default,
        Step::NoUnit,
        Step::ServerAuth,
        Step::Error,
        Step::ColdStart,
    ];
    #[inline]
    pub const fn as_str(self) -> &'static str {
        match self {
            Step::Stop => "stop",
            Step::Off => "off",
            Step::Deny => "deny",
            Step::Allow => "allow",
            Step::Rule => "rule",
            Step::Rollout => "rollout",
            Step::Default => "default",
            Step::NoUnit => "no-unit",
            Step::ServerAuth => "server-auth",
            Step::Error => "error",
            Step::ColdStart => "cold-start",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// OpenFeature's resolution reasons that Turnout uses: never DISABLED, CACHED or STALE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    Static,
    TargetingMatch,
    Split,
    Default,
    Error,
}

impl Reason {
    pub const ALL: [Reason; 5] =
        [Reason::Static, Reason::TargetingMatch, Reason::Split, Reason::Default, Reason::Error];
    #[inline]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Static => "STATIC",
            Reason::TargetingMatch => "TARGETING_MATCH",
            Reason::Split => "SPLIT",
            Reason::Default => "DEFAULT",
            Reason::Error => "ERROR",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An answer and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolution {
    pub strategy: Strategy,
    pub step: Step,
    pub reason: Reason,
}

impl Resolution {
    pub(super) fn fixed(strategy: impl Into<Strategy>, step: Step) -> Resolution {
        Resolution { strategy: strategy.into(), step, reason: Reason::Static }
    }

    pub(super) fn targeted(strategy: impl Into<Strategy>, step: Step) -> Resolution {
        Resolution { strategy: strategy.into(), step, reason: Reason::TargetingMatch }
    }

    /// An evaluation that cannot be made: the baseline, never `disabled` by accident (law 9).
    pub const ERROR: Resolution =
        Resolution { strategy: Strategy::Polling, step: Step::Error, reason: Reason::Error };

    /// The answer while nothing is known yet.
    pub const COLD_START: Resolution =
        Resolution { strategy: Strategy::Polling, step: Step::ColdStart, reason: Reason::Error };

    /// A stop on a flag without a known good form, and so without a known `when_stopped`.
    pub const STOPPED_UNKNOWN: Resolution =
        Resolution { strategy: Strategy::Polling, step: Step::Stop, reason: Reason::Static };
}

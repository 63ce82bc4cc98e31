//! What an evaluation returns: the strategy, the step that decided, and the OpenFeature reason that
//! step has.

pub use turnout_api::strategy::{Reason, Rule as Step};

use super::strategy::Strategy;

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

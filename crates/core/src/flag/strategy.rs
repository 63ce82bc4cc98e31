//! The three strategies, and the two that a flag may fall back to.
//!
//! This module only names them; [`evaluate`](super::evaluate) decides which one a user gets.

pub use turnout_api::strategy::Strategy;

/// A strategy that is safe to fall back to: `default` and `when_stopped` can hold nothing else (law
/// 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Baseline {
    Polling,
    Disabled,
}

impl From<Baseline> for Strategy {
    fn from(baseline: Baseline) -> Strategy {
        match baseline {
            Baseline::Polling => Strategy::Polling,
            Baseline::Disabled => Strategy::Disabled,
        }
    }
}

impl TryFrom<Strategy> for Baseline {
    type Error = NotABaseline;

    fn try_from(strategy: Strategy) -> Result<Baseline, NotABaseline> {
        match strategy {
            Strategy::Polling => Ok(Baseline::Polling),
            Strategy::Disabled => Ok(Baseline::Disabled),
            Strategy::RealtimeV2 => Err(NotABaseline),
        }
    }
}

/// `realtime-v2` was offered where only a baseline may stand.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`realtime-v2` is not a baseline: `polling` and `disabled` are")]
pub struct NotABaseline;

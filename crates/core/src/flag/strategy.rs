//! The three strategies, and the two that a flag may fall back to.
//!
//! This module only names them; [`evaluate`](super::evaluate) decides which one a user gets.

use std::fmt;

/// The transport a client uses for live updates: a flag's variant.
///
/// ```
/// use turnout_core::flag::Strategy;
/// assert_eq!("realtime-v2".parse(), Ok(Strategy::RealtimeV2));
/// assert!("realtime".parse::<Strategy>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    Polling,
    RealtimeV2,
    Disabled,
}

impl Strategy {
    pub const ALL: [Strategy; 3] = [Strategy::Polling, Strategy::RealtimeV2, Strategy::Disabled];
    #[inline]
    pub const fn as_str(self) -> &'static str {
        match self {
            Strategy::Polling => "polling",
            Strategy::RealtimeV2 => "realtime-v2",
            Strategy::Disabled => "disabled",
        }
    }
}

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

/// The text is not the name of a strategy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a strategy: `polling`, `realtime-v2` and `disabled` are")]
pub struct UnknownStrategy;

impl std::str::FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Strategy, UnknownStrategy> {
        Strategy::ALL.into_iter().find(|s| s.as_str() == text).ok_or(UnknownStrategy)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

//! Which events become log lines: a level for the service, and others for parts of it by their
//! targets.
//!
//! Foreign crates log from `warn` up and never below: their messages at other levels repeat
//! addresses, statements and headers.

use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::target;

/// `info`, or `warn,turnout::http=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    service: LevelFilter,
    parts: Vec<(&'static str, LevelFilter)>,
}

/// Why a text is not a log filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLogFilter {
    #[error(
        "`{0}` is not a level; use off, error, warn, info, debug or trace, and TARGET=LEVEL for a part of the service"
    )]
    Level(String),
    #[error("`{0}` is not a target of this service; use one of {targets}", targets = target::ALL.join(", "))]
    Target(String),
    #[error("`{0}` has two levels; keep one")]
    Twice(String),
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

impl Default for LogFilter {
    fn default() -> LogFilter {
        LogFilter { service: LevelFilter::INFO, parts: Vec::new() }
    }
}

impl FromStr for LogFilter {
    type Err = BadLogFilter;

    fn from_str(text: &str) -> Result<LogFilter, BadLogFilter> {
        let (mut service, mut parts) = (None, Vec::new());
        for directive in text.split(',').map(str::trim) {
            let Some((name, level)) = directive.split_once('=') else {
                if service.replace(level_of(directive)?).is_some() {
                    return Err(BadLogFilter::Twice("the whole service".to_owned()));
                }
                continue;
            };
            let name = name.trim();
            let known = target::ALL.into_iter().find(|known| *known == name);
            let target = known.ok_or_else(|| BadLogFilter::Target(name.to_owned()))?;
            if parts.iter().any(|(given, _)| *given == target) {
                return Err(BadLogFilter::Twice(target.to_owned()));
            }
            parts.push((target, level_of(level.trim())?));
        }
        Ok(LogFilter { service: service.unwrap_or(LevelFilter::INFO), parts })
    }
}

fn level_of(text: &str) -> Result<LevelFilter, BadLogFilter> {
    let level = LEVELS.into_iter().find(|(name, _)| *name == text);
    level.map(|(_, level)| level).ok_or_else(|| BadLogFilter::Level(text.to_owned()))
}

impl LogFilter {
    /// The filter in the form that `tracing` takes.
    pub(super) fn targets(&self) -> Targets {
        Targets::new()
            .with_default(self.service.min(LevelFilter::WARN))
            .with_target(target::SERVICE, self.service)
            .with_targets(self.parts.iter().copied())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_names_levels_and_own_targets() {
        let allows = |text: &str, target: &str, level| {
            text.parse::<LogFilter>().unwrap().targets().would_enable(target, &level)
        };
        for (text, target, level, allowed) in [
            ("info", target::CONTROL, Level::INFO, true),
            ("info", target::CONTROL, Level::DEBUG, false),
            ("warn,turnout::http=debug", target::HTTP, Level::DEBUG, true),
            ("warn,turnout::http=debug", target::CONTROL, Level::INFO, false),
            ("turnout::http=debug", target::CONTROL, Level::INFO, true),
            ("trace,turnout::evaluation=off", target::EVALUATION, Level::ERROR, false),
            ("trace", "library::part", Level::INFO, false),
            ("trace", "library::part", Level::WARN, true),
            ("error", "library::part", Level::WARN, false),
            ("off", target::APP, Level::ERROR, false),
        ] {
            assert_eq!(allows(text, target, level), allowed, "{text}: {target} {level}");
        }
    }

    #[test]
    fn what_is_not_a_filter_is_refused_with_the_reason() {
        for (text, says) in [
            ("", "`` is not a level"),
            ("INFO", "`INFO` is not a level"),
            ("verbose", "`verbose` is not a level"),
            ("hyper=debug", "`hyper` is not a target of this service; use one of turnout::"),
            ("control=debug", "`control` is not a target"),
            ("turnout::http=", "`` is not a level"),
            ("info,warn", "has two levels"),
            ("turnout::http=info,turnout::http=warn", "`turnout::http` has two levels"),
        ] {
            let fault = text.parse::<LogFilter>().unwrap_err().to_string();
            assert!(fault.contains(says), "{text}: {fault}");
        }
    }
}

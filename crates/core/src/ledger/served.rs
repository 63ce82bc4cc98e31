//! What a flag serves, in a few words: one source for `status`, the history and the webhook.

use std::fmt;

use crate::flag::{Definition, Split, Strategy};

/// What a flag serves; its text is `realtime-v2 10%`, or `STOPPED -> polling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// By a stop; the strategy is not known where the definition is not.
    Stopped(Option<Strategy>),
    /// By `enabled: false` in its file.
    Off(Strategy),
    /// Its file has no good form.
    NoDefinition,
    /// By its rollout, the rest of which the default has.
    Rollout(Option<Split>, Strategy),
}

impl Served {
    /// What a definition serves with this split in the place of its own, and no stop.
    pub fn by(definition: &Definition, split: Option<Split>) -> Served {
        if definition.enabled {
            Served::Rollout(split, definition.default.into())
        } else {
            Served::Off(definition.when_stopped.into())
        }
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Served::Stopped(Some(strategy)) => write!(f, "STOPPED -> {strategy}"),
            Served::Stopped(None) => f.write_str("STOPPED"),
            Served::Off(strategy) => write!(f, "off -> {strategy}"),
            Served::NoDefinition => write!(f, "no definition -> {}", Strategy::Polling),
            Served::Rollout(Some(split), _) => write!(f, "realtime-v2 {split}"),
            Served::Rollout(None, default) => default.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_serve_has_its_words() {
        for (served, words) in [
            (Served::Stopped(Some(Strategy::Disabled)), "STOPPED -> disabled"),
            (Served::Stopped(None), "STOPPED"),
            (Served::Off(Strategy::Polling), "off -> polling"),
            (Served::NoDefinition, "no definition -> polling"),
            (Served::Rollout(Some(Split::default()), Strategy::Polling), "realtime-v2 0%"),
            (Served::Rollout(None, Strategy::Disabled), "disabled"),
        ] {
            assert_eq!(served.to_string(), words);
        }
    }
}

//! How a crowd is, from its first moment to its last.

use std::net::SocketAddr;

#[derive(Clone)]
pub struct Settings {
    pub address: SocketAddr,
    /// Where a stream is asked for, without `/watch`.
    pub path: String,
    /// Stream 17 is the user `u-17`, if this is `u-`.
    pub keys: String,
    /// Streams on their way at the same time: not thousands of connections in one millisecond.
    pub at_once: usize,
    /// So many in a hundred come back at once for ever, whatever they were told.
    pub rude: u64,
    pub reading: Reading,
}

/// How a client takes what it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    All,
    /// A byte a second.
    Slow,
    Never,
}

impl Settings {
    pub fn of(arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
        let mut settings = Settings {
            address: SocketAddr::from(([127, 0, 0, 1], 7070)),
            path: "/v1/strategy/build-events".to_owned(),
            keys: "user-".to_owned(),
            at_once: 256,
            rude: 0,
            reading: Reading::All,
        };
        let mut rest = arguments;
        while let Some(argument) = rest.next() {
            let bad = |what: &str| format!("{argument} takes {what}");
            let mut next = |what: &str| rest.next().ok_or(bad(what));
            match argument.as_str() {
                "--path" => settings.path = next("a path")?,
                "--keys" => settings.keys = next("what keys begin with")?,
                "--at-once" => {
                    settings.at_once = next("a number")?.parse().map_err(|_| bad("a number"))?;
                }
                "--rude" => {
                    settings.rude =
                        next("a percentage")?.parse().map_err(|_| bad("a percentage"))?;
                }
                "--reading" => {
                    settings.reading = match next("all, slow or never")?.as_str() {
                        "all" => Reading::All,
                        "slow" => Reading::Slow,
                        "never" => Reading::Never,
                        _ => return Err(bad("all, slow or never")),
                    }
                }
                address => {
                    settings.address =
                        address.parse().map_err(|_| format!("what is `{address}`?"))?;
                }
            }
        }
        Ok(settings)
    }
}

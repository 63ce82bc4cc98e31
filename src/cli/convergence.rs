//! How far a change has landed, in words: the server's counts as a cell of a table, a bar, a
//! progress line and a final line.
//!
//! A share is rounded down, so that 100% is never printed for less. Clients that cannot acknowledge
//! are shown apart: it is known only that they were sent the change.

use serde_json::Value as Json;

use super::remote::text_of;
use super::time;
use crate::telemetry::ago;

/// The open streams by their delivery state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    open: u64,
    confirmed: u64,
    not_needed: u64,
    told: u64,
    missing: u64,
    ended: u64,
}

/// What a server reports about the newest change of a flag, or of all flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convergence {
    pub position: String,
    live_at_ms: Option<i64>,
    counts: Counts,
    reached: [Option<u64>; 3],
    missing_since_ms: Option<i64>,
    pollers: u64,
    asked_since: u64,
}

impl Counts {
    pub fn of(counts: &Json) -> Counts {
        let count = |name: &str| counts[name].as_u64().unwrap_or_default();
        Counts {
            open: count("open"),
            confirmed: count("confirmed"),
            not_needed: count("notNeeded"),
            told: count("told"),
            missing: count("missing"),
            ended: count("ended"),
        }
    }

    /// `98.2% of 1000, 8 told, 10 missing`; `-` where no client has a stream.
    pub fn cell(&self) -> String {
        if self.open == 0 {
            return "-".to_owned();
        }
        let rest = [(self.told, "told"), (self.missing, "missing")];
        let rest = rest
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!(", {count} {what}"));
        format!("{} of {}{}", self.share(), self.open, rest.collect::<String>())
    }

    /// `1000 streams: 812 confirmed, 170 not needed, 8 told, 10 missing`.
    pub fn in_words(&self) -> String {
        match self.open {
            0 => "no stream is open".to_owned(),
            1 => format!("1 stream: {}", self.four()),
            open => format!("{open} streams: {}", self.four()),
        }
    }

    fn four(&self) -> String {
        let Counts { confirmed, not_needed, told, missing, .. } = self;
        let ended = match self.ended {
            0 => String::new(),
            ended => format!(", {ended} ended"),
        };
        format!(
            "{confirmed} confirmed, {not_needed} not needed, {told} told, {missing} missing{ended}"
        )
    }

    fn held(&self) -> u64 {
        self.confirmed.saturating_add(self.not_needed)
    }

    /// How much of `whole` is held, limited to `whole` whatever a server counted.
    fn of_all(&self, whole: u64) -> u64 {
        (u128::from(self.held().min(self.open)) * u128::from(whole) / u128::from(self.open.max(1)))
            as u64
    }

    fn share(&self) -> String {
        let tenths = self.of_all(1000);
        match tenths % 10 {
            0 => format!("{}%", tenths / 10),
            rest => format!("{}.{rest}%", tenths / 10),
        }
    }

    fn bar(&self) -> String {
        const WIDE: u64 = 20;
        let full = self.of_all(WIDE);
        (0..WIDE).map(|place| if place < full { '█' } else { '░' }).collect()
    }
}

impl Convergence {
    pub fn of(reply: &Json) -> Convergence {
        let (reached, pollers) = (&reply["reached"], &reply["pollers"]);
        Convergence {
            position: text_of(&reply["position"]),
            live_at_ms: reply["liveAtMs"].as_i64(),
            counts: Counts::of(&reply["streams"]),
            reached: ["p50Ms", "p90Ms", "p99Ms"].map(|name| reached[name].as_u64()),
            missing_since_ms: reply["missingSinceMs"].as_i64(),
            pollers: pollers["seen"].as_u64().unwrap_or_default(),
            asked_since: pollers["askedSince"].as_u64().unwrap_or_default(),
        }
    }

    /// Whether no client is missing, except those that were sent the change and may still
    /// acknowledge.
    pub fn is_told(&self) -> bool {
        self.counts.missing == 0
    }

    /// Whether no client is missing.
    pub fn is_held(&self) -> bool {
        self.is_told() && self.counts.told == 0
    }

    /// Progress, for a terminal: what may be cut off stands last.
    pub fn drawn(&self) -> String {
        format!("{} {:>5}  {}", self.counts.bar(), self.counts.share(), self.on_the_way())
    }

    /// Progress, for a log.
    pub fn line(&self) -> String {
        format!("{} of {}: {}", self.counts.share(), self.counts.open, self.on_the_way())
    }

    fn on_the_way(&self) -> String {
        joined("  ", [self.counts.four(), self.times(), self.query()])
    }

    /// `clients 50% 0.3 s · 90% 1.1 s · 99% 2.4 s   done`. A change that went live before
    /// `started_ms` was made by another caller, so the line says since when it is live.
    pub fn done(&self, started_ms: i64) -> String {
        let Counts { open, told, .. } = self.counts;
        let clients = match (open, self.times()) {
            (0, _) => "clients: no stream is open".to_owned(),
            (open, times) if times.is_empty() && told < open => {
                format!("clients {} of {open}", self.counts.share())
            }
            (_, times) => format!("clients {times}").trim_end().to_owned(),
        };
        let ended = match self.counts.ended {
            0 => String::new(),
            ended => format!("{ended} ended"),
        };
        let told =
            if told > 0 { format!("{told} told, cannot acknowledge") } else { String::new() };
        let waits = if open == 0 && self.asked_since < self.pollers {
            "; each hears it when it asks next"
        } else {
            ""
        };
        let asked =
            if self.pollers > 0 { format!("{}{waits}", self.query()) } else { String::new() };
        // Two machines' clocks may differ by as much as this.
        const APART_MS: i64 = 5_000;
        let since = match self.live_at_ms {
            Some(ms) if ms < started_ms.saturating_sub(APART_MS) => {
                format!("live since {}", time::to_the_second(ms))
            }
            _ => String::new(),
        };
        joined("   ", [clients, ended, told, asked, since, "done".to_owned()])
    }

    /// `10 of 1000 missing since 14:03:12 (30 s)`.
    pub fn missing(&self, now_ms: i64) -> String {
        let since = self.missing_since_ms.map(|ms| {
            format!(" since {} ({})", time::to_the_second(ms), ago(now_ms.saturating_sub(ms)))
        });
        format!(
            "{} of {} missing{}",
            self.counts.missing,
            self.counts.open,
            since.unwrap_or_default()
        )
    }

    /// `50% 0.3 s · 90% 1.1 s`: the percentiles that were reached.
    fn times(&self) -> String {
        let named = ["50%", "90%", "99%"].iter().zip(self.reached);
        let times = named.filter_map(|(share, ms)| ms.map(|ms| format!("{share} {}", seconds(ms))));
        times.collect::<Vec<_>>().join(" · ")
    }

    fn query(&self) -> String {
        match self.pollers {
            0 => String::new(),
            pollers => format!("pollers: {} of {pollers} asked since", self.asked_since),
        }
    }
}

fn joined<const N: usize>(by: &str, parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(by)
}

fn seconds(ms: u64) -> String {
    match ms {
        0..100 => format!("{ms} ms"),
        100..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => ago(ms.min(i64::MAX as u64) as i64),
    }
}

//! How far a change has landed, in words: the server's counts as a cell of a table, a bar, a
//! progress line and a final line.
//!
//! A share is rounded down, so that 100% is never printed for less. Clients that cannot acknowledge
//! are shown apart: it is known only that they were sent the change.

use turnout_api::admin::convergence::{Convergence, Percentiles, Pollers, StreamCounts};

use super::time;
use crate::telemetry::ago;

/// How far the newest change of a flag has landed, or of all flags.
pub struct Progress(pub Convergence);

/// `98.2% of 1000, 8 told, 10 missing`; `-` where no client has a stream.
pub fn cell(counts: Option<&StreamCounts>) -> String {
    let Some(counts) = counts.filter(|counts| counts.open > 0) else { return "-".to_owned() };
    let rest = [(counts.told, "told"), (counts.missing, "missing")];
    let rest = rest
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {count} {what}"));
    format!("{} of {}{}", share(counts), counts.open, rest.collect::<String>())
}

/// `1000 streams: 812 confirmed, 170 not needed, 8 told, 10 missing`.
pub fn in_words(counts: Option<&StreamCounts>) -> String {
    match counts.filter(|counts| counts.open > 0) {
        None => "no stream is open".to_owned(),
        Some(counts @ StreamCounts { open: 1, .. }) => format!("1 stream: {}", four(counts)),
        Some(counts) => format!("{} streams: {}", counts.open, four(counts)),
    }
}

fn four(counts: &StreamCounts) -> String {
    let StreamCounts { confirmed, not_needed, told, missing, .. } = counts;
    let ended = match counts.ended {
        0 => String::new(),
        ended => format!(", {ended} ended"),
    };
    format!("{confirmed} confirmed, {not_needed} not needed, {told} told, {missing} missing{ended}")
}

/// How much of `whole` is held, limited to `whole` whatever a server counted.
fn held_of(counts: &StreamCounts, whole: u128) -> u128 {
    let held = counts.confirmed.saturating_add(counts.not_needed).min(counts.open);
    held as u128 * whole / counts.open.max(1) as u128
}

fn share(counts: &StreamCounts) -> String {
    let tenths = held_of(counts, 1000);
    match tenths % 10 {
        0 => format!("{}%", tenths / 10),
        rest => format!("{}.{rest}%", tenths / 10),
    }
}

fn bar(counts: &StreamCounts) -> String {
    const WIDE: u128 = 20;
    let full = held_of(counts, WIDE);
    (0..WIDE).map(|place| if place < full { '█' } else { '░' }).collect()
}

impl Progress {
    /// Whether no client is missing, except those that were sent the change and may still
    /// acknowledge.
    pub fn is_told(&self) -> bool {
        self.0.streams.missing == 0
    }

    /// Whether no client is missing.
    pub fn is_held(&self) -> bool {
        self.is_told() && self.0.streams.told == 0
    }

    /// Progress, for a terminal: what may be cut off stands last.
    pub fn drawn(&self) -> String {
        format!("{} {:>5}  {}", bar(&self.0.streams), share(&self.0.streams), self.on_the_way())
    }

    /// Progress, for a log.
    pub fn line(&self) -> String {
        format!("{} of {}: {}", share(&self.0.streams), self.0.streams.open, self.on_the_way())
    }

    fn on_the_way(&self) -> String {
        joined("  ", [four(&self.0.streams), self.times(), self.query()])
    }

    /// `clients 50% 0.3 s · 90% 1.1 s · 99% 2.4 s   done`. A change that went live before
    /// `started_ms` was made by another caller, so the line says since when it is live.
    pub fn done(&self, started_ms: i64) -> String {
        let Convergence { streams, pollers, live_at_ms, .. } = &self.0;
        let StreamCounts { open, told, .. } = *streams;
        let clients = match (open, self.times()) {
            (0, _) => "clients: no stream is open".to_owned(),
            (open, times) if times.is_empty() && told < open => {
                format!("clients {} of {open}", share(streams))
            }
            (_, times) => format!("clients {times}").trim_end().to_owned(),
        };
        let ended = match streams.ended {
            0 => String::new(),
            ended => format!("{ended} ended"),
        };
        let told =
            if told > 0 { format!("{told} told, cannot acknowledge") } else { String::new() };
        let waits = if open == 0 && pollers.asked_since < pollers.seen {
            "; each hears it when it asks next"
        } else {
            ""
        };
        let asked =
            if pollers.seen > 0 { format!("{}{waits}", self.query()) } else { String::new() };
        // Two machines' clocks may differ by as much as this.
        const APART_MS: i64 = 5_000;
        let since = match *live_at_ms {
            Some(ms) if ms < started_ms.saturating_sub(APART_MS) => {
                format!("live since {}", time::to_the_second(ms))
            }
            _ => String::new(),
        };
        joined("   ", [clients, ended, told, asked, since, "done".to_owned()])
    }

    /// `10 of 1000 missing since 14:03:12 (30 s)`.
    pub fn missing(&self, now_ms: i64) -> String {
        let since = self.0.missing_since_ms.map(|ms| {
            format!(" since {} ({})", time::to_the_second(ms), ago(now_ms.saturating_sub(ms)))
        });
        format!(
            "{} of {} missing{}",
            self.0.streams.missing,
            self.0.streams.open,
            since.unwrap_or_default()
        )
    }

    /// `50% 0.3 s · 90% 1.1 s`: the percentiles that were reached.
    fn times(&self) -> String {
        let Percentiles { p50_ms, p90_ms, p99_ms } = self.0.reached;
        let named = [(50, p50_ms), (90, p90_ms), (99, p99_ms)];
        let times = named.into_iter().filter_map(|(share, ms)| {
            let ms = ms?;
            Some(format!("{share}% {}", seconds(ms)))
        });
        times.collect::<Vec<_>>().join(" · ")
    }

    fn query(&self) -> String {
        let Pollers { seen, asked_since } = self.0.pollers;
        match seen {
            0 => String::new(),
            seen => format!("pollers: {asked_since} of {seen} asked since"),
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

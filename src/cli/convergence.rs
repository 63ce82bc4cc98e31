//! How far a change has landed, in words: the server's counts as a cell of a table, a bar, a
//! progress line and a final line.
//!
//! A share is rounded down, so that 100% is never printed for less. Clients that cannot acknowledge
//! are shown apart: it is known only that they were sent the change.

use turnout_api::admin::convergence::{Convergence, Percentiles, Pollers, StreamCounts};

use super::time;
use super::width::width;
use crate::telemetry::ago;

/// How far the newest change of a flag has landed, or of all flags.
pub struct Progress(pub Convergence);

/// `98.2% of 992, 8 cannot confirm, 10 missing`; `-` where no client has a stream.
pub fn cell(counts: Option<&StreamCounts>) -> String {
    let Some(counts) = counts.filter(|counts| counts.open > 0) else { return "-".to_owned() };
    let share = match able(counts) {
        0 => String::new(),
        able => format!("{} of {able}", share(counts)),
    };
    joined(", ", [share, cannot_confirm(counts), missing(counts)])
}

/// `1000 streams: 812 confirmed, 170 not needed, 8 told, 10 missing`; what is none is left out.
pub fn in_words(counts: Option<&StreamCounts>) -> String {
    match counts.filter(|counts| counts.open > 0) {
        None => "no stream is open".to_owned(),
        Some(counts @ StreamCounts { open: 1, .. }) => format!("1 stream: {}", four(counts)),
        Some(counts) => format!("{} streams: {}", counts.open, four(counts)),
    }
}

fn four(counts: &StreamCounts) -> String {
    let StreamCounts { confirmed, not_needed, told, missing, ended, .. } = *counts;
    let part = |(number, what): (usize, &str)| match number {
        0 => String::new(),
        number => format!("{number} {what}"),
    };
    let parts = [
        (confirmed, "confirmed"),
        (not_needed, "not needed"),
        (told, "told"),
        (missing, "missing"),
        (ended, "left realtime"),
    ];
    joined(", ", parts.map(part))
}

/// The clients that can confirm.
fn able(counts: &StreamCounts) -> usize {
    counts.open.saturating_sub(counts.told)
}

/// The clients that hold what is live, whatever a server counted.
fn holding(counts: &StreamCounts) -> usize {
    counts.confirmed.saturating_add(counts.not_needed).min(able(counts))
}

fn cannot_confirm(counts: &StreamCounts) -> String {
    match counts.told {
        0 => String::new(),
        told => format!("{told} cannot confirm"),
    }
}

fn missing(counts: &StreamCounts) -> String {
    match counts.missing {
        0 => String::new(),
        missing => format!("{missing} missing"),
    }
}

/// `30 of 33 hold it, 3 missing`.
fn hold_it(counts: &StreamCounts) -> String {
    let hold = match able(counts) {
        0 => String::new(),
        able => format!("{} of {able} hold it", holding(counts)),
    };
    joined(", ", [hold, cannot_confirm(counts), missing(counts)])
}

/// How much of `whole` is held, rounded down.
fn held_of(counts: &StreamCounts, whole: u128) -> u128 {
    holding(counts) as u128 * whole / able(counts).max(1) as u128
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

    /// Progress, for a terminal with so many columns: a part at the end that does not fit is left out.
    /// The last column stays free, as some terminals wrap there.
    pub fn drawn(&self, columns: usize) -> String {
        let counts = &self.0.streams;
        let bar = if able(counts) > 0 { format!("{}  ", bar(counts)) } else { String::new() };
        let whole = format!("{bar}{}", self.line());
        if width(&whole) < columns { whole } else { format!("{bar}{}", hold_it(counts)) }
    }

    /// Progress, for a log.
    pub fn line(&self) -> String {
        joined("   ", [hold_it(&self.0.streams), self.query()])
    }

    /// `33 of 33 clients hold it (99% within 0.4 s)   done`, and in a line of its own how many of those
    /// who poll have asked: they may have gone, and are waited for by no one. A change that went live
    /// before `started_ms` was made by another caller, so the line says since when it is live.
    pub fn done(&self, started_ms: i64) -> String {
        let Convergence { streams, pollers, live_at_ms, .. } = &self.0;
        let clients = match (streams.open, able(streams)) {
            (0, _) => "no client has a stream".to_owned(),
            (_, 0) => String::new(),
            (_, 1) => format!("{} of 1 client holds it{}", holding(streams), self.within()),
            (_, able) => {
                format!("{} of {able} clients hold it{}", holding(streams), self.within())
            }
        };
        let ended = match streams.ended {
            0 => String::new(),
            ended => format!("{ended} left realtime"),
        };
        let told = match streams.told {
            0 => String::new(),
            1 => "1 client was sent it and cannot confirm".to_owned(),
            told => format!("{told} clients were sent it and cannot confirm"),
        };
        let asked = match (pollers.seen, pollers.asked_since) {
            (0, _) => String::new(),
            (seen, asked) if asked < seen => {
                format!("\n  {}; the rest get it when they ask again", self.query())
            }
            _ => format!("\n  {}", self.query()),
        };
        // Two machines' clocks may differ by as much as this.
        const APART_MS: i64 = 5_000;
        let since = match *live_at_ms {
            Some(ms) if ms < started_ms.saturating_sub(APART_MS) => {
                format!("live since {}", time::to_the_second(ms))
            }
            _ => String::new(),
        };
        joined("   ", [clients, ended, told, since, "done".to_owned()]) + &asked
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

    /// ` (99% within 0.4 s)`: the highest share that was reached.
    fn within(&self) -> String {
        let Percentiles { p50_ms, p90_ms, p99_ms } = self.0.reached;
        let reached = [(99, p99_ms), (90, p90_ms), (50, p50_ms)];
        let first = reached.into_iter().find_map(|(share, ms)| ms.map(|ms| (share, ms)));
        first.map_or_else(String::new, |(share, ms)| match able(&self.0.streams) {
            1 => format!(" (within {})", seconds(ms)),
            _ => format!(" ({share}% within {})", seconds(ms)),
        })
    }

    fn query(&self) -> String {
        let Pollers { seen, asked_since } = self.0.pollers;
        match seen {
            0 => String::new(),
            1 => format!("{asked_since} of 1 polling user asked since"),
            seen => format!("{asked_since} of {seen} polling users asked since"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_ends_before_the_last_column() {
        let streams = StreamCounts { open: 2, confirmed: 2, ..StreamCounts::default() };
        let pollers = Pollers { seen: 2, asked_since: 0 };
        let progress = Progress(Convergence {
            flag: None,
            position: "2".to_owned(),
            live_at_ms: None,
            streams,
            reached: Percentiles::default(),
            missing_since_ms: None,
            pollers,
        });
        let whole = progress.drawn(usize::MAX);
        assert!(whole.ends_with("2 of 2 hold it   0 of 2 polling users asked since"), "{whole}");
        assert_eq!(progress.drawn(width(&whole) + 1), whole);
        assert!(progress.drawn(width(&whole)).ends_with("2 of 2 hold it"), "{whole}");
    }
}

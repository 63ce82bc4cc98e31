//! What a report is, and which numbers no tab can have.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use turnout_api::bounds::{
    MAX_A_MINUTE, MAX_OPEN_STREAMS, MAX_REPORT_COPIES, MAX_REPORT_FLAGS, MAX_REPORT_SWITCHES,
    MAX_REPORT_WINDOW_MS, REPORT_EVERY_MS,
};
use turnout_api::reports::{FlagReport, INTERVAL_BOUNDS_MS, LATENCY_BOUNDS_MS, Report};

use crate::flag::FlagKey;

/// The longest name, and the longest version, of a client's library.
const MAX_LIBRARY_BYTES: usize = 64;
/// What each thing that a tab did costs of its user's allowance at least: 60 of them a minute.
const STEP_MS: u64 = REPORT_EVERY_MS / MAX_A_MINUTE;

/// A report that one tab can have sent.
#[derive(Debug)]
pub struct CheckedReport {
    report: Report,
    /// How many things it did, of the kind it did most.
    steps: u64,
}

/// Why a body is not a report. No text of it is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReport {
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error(
        "a report has another shape (line {line}, column {column}); see `Report` in /openapi.json"
    )]
    Shape { line: usize, column: usize },
    #[error("`windowMs` is at most {MAX_REPORT_WINDOW_MS}; of a longer window, report its end")]
    Window,
    #[error("`flags` has 1 to {MAX_REPORT_FLAGS} flags, each of them once")]
    Flags,
    #[error("`{0}` is a short name or version, of letters, digits and `@._/+-`")]
    Library(&'static str),
    #[error("`{name}` has one number for each of its {ranges} ranges, or none at all")]
    Ranges { name: &'static str, ranges: usize },
    #[error("the `sumMs` of `{0}` does not fit its `buckets`")]
    Sum(&'static str),
    #[error("`poll.empty` counts polls that `poll.success` counts too")]
    Empty,
    #[error("`{name}` is over what a tab can do in this `windowMs`: {most}")]
    Impossible { name: &'static str, most: u64 },
}

impl CheckedReport {
    /// Reads a body. Members that are not known are ignored: they are for later versions.
    pub fn read(bytes: &[u8]) -> Result<CheckedReport, BadReport> {
        let report: Report = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            // The error alone does not tell: `null` in the place of a word counts as no JSON there.
            match serde_json::from_slice::<IgnoredAny>(bytes) {
                Ok(_) => BadReport::Shape { line, column },
                Err(_) => BadReport::NotJson { line, column },
            }
        })?;
        for (name, text) in [("client", &report.client), ("version", &report.version)] {
            if text.as_deref().is_some_and(|text| !is_library(text)) {
                return Err(BadReport::Library(name));
            }
        }
        if report.window_ms > MAX_REPORT_WINDOW_MS {
            return Err(BadReport::Window);
        }
        let keys: BTreeSet<&str> = report.flags.iter().map(|part| part.flag.as_str()).collect();
        let is_once =
            keys.len() == report.flags.len() && keys.iter().all(|key| FlagKey::accepts(key));
        if !is_once || keys.is_empty() || keys.len() > MAX_REPORT_FLAGS {
            return Err(BadReport::Flags);
        }
        report.flags.iter().try_for_each(check_ranges)?;
        let steps = check_totals(&report)?;
        Ok(CheckedReport { report, steps })
    }

    pub fn flags(&self) -> &[FlagReport] {
        &self.report.flags
    }

    pub fn has_complaint(&self) -> bool {
        self.report.flags.iter().any(|part| part.complaint)
    }

    /// For how long a tab was at it, at least.
    pub fn cost_ms(&self) -> u64 {
        self.report.window_ms.max(self.steps * STEP_MS)
    }
}

fn is_library(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'@';
    text.len() <= MAX_LIBRARY_BYTES
        && bytes.next().is_some_and(first)
        && bytes.all(|byte| first(byte) || b"._/+-".contains(&byte))
}

/// Each number of a flag by itself.
fn check_ranges(part: &FlagReport) -> Result<(), BadReport> {
    let intervals = (&part.interval_ms.buckets, part.interval_ms.sum_ms);
    let latencies = (&part.latency_ms.buckets, part.latency_ms.sum_ms);
    check_sum("intervalMs", intervals, &INTERVAL_BOUNDS_MS)?;
    check_sum("latencyMs", latencies, &LATENCY_BOUNDS_MS)?;
    if part.poll.empty > part.poll.success {
        return Err(BadReport::Empty);
    }
    let most = MAX_REPORT_SWITCHES as u64;
    if part.switches.len() as u64 > most {
        return Err(BadReport::Impossible { name: "switches", most });
    }
    Ok(())
}

/// Whether a sum can be that of values in these ranges. A value over the last bound counts as the
/// bound.
fn check_sum(
    name: &'static str,
    (counts, sum_ms): (&Vec<u64>, u64),
    bounds: &[u64],
) -> Result<(), BadReport> {
    let ranges = bounds.len() + 1;
    if counts.is_empty() && sum_ms == 0 {
        return Ok(());
    }
    if counts.len() != ranges {
        return Err(BadReport::Ranges { name, ranges });
    }
    let last = bounds.last().copied().unwrap_or_default();
    let lower = std::iter::once(0).chain(bounds.iter().copied());
    let upper = bounds.iter().copied().chain([last]);
    let sum = |bounds: &mut dyn Iterator<Item = u64>| {
        let parts = counts.iter().zip(bounds).map(|(count, bound)| count.saturating_mul(bound));
        parts.fold(0, u64::saturating_add)
    };
    if (sum(&mut { lower })..=sum(&mut { upper })).contains(&sum_ms) {
        Ok(())
    } else {
        Err(BadReport::Sum(name))
    }
}

/// What a tab did of each kind, over all flags, and the highest of them.
fn check_totals(report: &Report) -> Result<u64, BadReport> {
    type Number = fn(&FlagReport) -> u64;
    const STEPS: [(&str, Number); 7] = [
        ("poll", |part| total(&[part.poll.success, part.poll.error, part.poll.limited])),
        ("intervalMs", |part| total(&part.interval_ms.buckets)),
        ("latencyMs", |part| total(&part.latency_ms.buckets)),
        ("realtime", |part| total(&[part.realtime.connects, part.realtime.failures])),
        ("refreshFailures", |part| part.refresh_failures),
        ("resets", |part| part.resets),
        ("switches", |part| part.switches.len() as u64),
    ];
    // A window may begin and end within the minutes of others: it has one more than it is long.
    let most = (report.window_ms / REPORT_EVERY_MS + 1) * MAX_A_MINUTE;
    let mut steps = 0;
    for (name, number) in STEPS {
        let done = report.flags.iter().map(number).fold(0, u64::saturating_add);
        if done > most {
            return Err(BadReport::Impossible { name, most });
        }
        steps = steps.max(done);
    }
    // Many copies come with one answer.
    let copies = report.flags.iter().map(|part| part.dedup_drops).fold(0, u64::saturating_add);
    if copies > MAX_REPORT_COPIES {
        return Err(BadReport::Impossible { name: "dedupDrops", most: MAX_REPORT_COPIES });
    }
    steps = steps.max(copies.div_ceil(MAX_REPORT_COPIES / MAX_A_MINUTE));
    let live = report.flags.iter().map(|part| part.realtime.live_ms).fold(0, u64::saturating_add);
    let most = report.window_ms * MAX_OPEN_STREAMS;
    if live > most {
        return Err(BadReport::Impossible { name: "realtime.liveMs", most });
    }
    Ok(steps)
}

fn total(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |sum, number| sum.saturating_add(*number))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};
    use turnout_api::reports::LIBRARY;

    /// A report of one flag with these members.
    fn report(window_ms: u64, members: Json) -> Json {
        let mut part = json!({ "flag": "chat", "mode": "polling" });
        for (name, value) in members.as_object().unwrap() {
            part[name] = value.clone();
        }
        json!({ "windowMs": window_ms, "flags": [part] })
    }

    fn check(what: &str, body: &Json, expected: Result<u64, BadReport>) {
        let read = CheckedReport::read(body.to_string().as_bytes());
        assert_eq!(read.map(|report| report.cost_ms()), expected, "{what}");
    }

    #[test]
    fn a_report_costs_as_long_as_a_tab_was_at_it() {
        check("nothing happened", &report(60_000, json!({})), Ok(60_000));
        check("an empty window", &report(0, json!({})), Ok(0));
        check("twelve polls", &report(60_000, json!({ "poll": { "success": 12 } })), Ok(60_000));
        check("a burst", &report(5_000, json!({ "poll": { "success": 30 } })), Ok(30_000));
        check("sixty at once", &report(0, json!({ "poll": { "success": 60 } })), Ok(60_000));
        let unknown =
            json!({ "later": "x", "poll": { "later": 1 }, "realtime": { "liveMs": 480_000 } });
        check("members of later versions", &report(60_000, unknown), Ok(60_000));
    }

    #[test]
    fn a_sum_fits_its_ranges() {
        let latency = |buckets: &[u64], sum: u64| {
            report(60_000, json!({ "latencyMs": { "buckets": buckets, "sumMs": sum } }))
        };
        let one_over = [0, 0, 0, 0, 0, 0, 0, 0, 1];
        let bad = || Err(BadReport::Sum("latencyMs"));
        let ranges = || Err(BadReport::Ranges { name: "latencyMs", ranges: 9 });
        check("over the last bound", &latency(&one_over, 30_000), Ok(60_000));
        check("more than the clip", &latency(&one_over, 30_001), bad());
        check("less than the range", &latency(&one_over, 29_999), bad());
        check("two ranges", &latency(&[1, 0, 0, 0, 0, 0, 1, 0, 0], 10_100), Ok(60_000));
        check("none", &latency(&[], 0), Ok(60_000));
        check("a sum of none", &latency(&[], 1), ranges());
        check("too few ranges", &latency(&[1], 1), ranges());
        check("overflow", &latency(&[u64::MAX; 9], 5), bad());
    }

    #[test]
    fn what_no_tab_can_do_is_refused() {
        let over = |name, most| Err(BadReport::Impossible { name, most });
        for (what, window_ms, members, expected) in [
            ("polls", 59_999, json!({ "poll": { "success": 50, "error": 11 } }), over("poll", 60)),
            (
                "polls in two minutes",
                120_000,
                json!({ "poll": { "success": 181 } }),
                over("poll", 180),
            ),
            ("refusals", 0, json!({ "poll": { "limited": 61 } }), over("poll", 60)),
            (
                "overflow",
                0,
                json!({ "poll": { "success": u64::MAX, "error": u64::MAX } }),
                over("poll", 60),
            ),
            ("empty", 0, json!({ "poll": { "success": 1, "empty": 2 } }), Err(BadReport::Empty)),
            ("connections", 0, json!({ "realtime": { "connects": 61 } }), over("realtime", 60)),
            ("live", 100, json!({ "realtime": { "liveMs": 801 } }), over("realtime.liveMs", 800)),
            ("copies", 0, json!({ "dedupDrops": 10_001 }), over("dedupDrops", 10_000)),
            ("resets", 0, json!({ "resets": 61 }), over("resets", 60)),
            ("the window", 120_001, json!({}), Err(BadReport::Window)),
        ] {
            check(what, &report(window_ms, members), expected);
        }
        check("copies cost time", &report(0, json!({ "dedupDrops": 10_000 })), Ok(61_000));
        let mut both = report(0, json!({ "dedupDrops": 5_001 }));
        let mut other = both["flags"][0].clone();
        other["flag"] = "search".into();
        both["flags"].as_array_mut().unwrap().push(other);
        check("copies of two flags", &both, over("dedupDrops", 10_000));
        let mut both = report(0, json!({ "poll": { "success": 31 } }));
        let mut other = both["flags"][0].clone();
        other["flag"] = "search".into();
        both["flags"].as_array_mut().unwrap().push(other);
        check("polls of two flags", &both, over("poll", 60));
        both["flags"][1]["flag"] = "chat".into();
        check("a flag twice", &both, Err(BadReport::Flags));
        both["flags"] = json!([]);
        check("no flag", &both, Err(BadReport::Flags));
    }

    #[test]
    fn a_library_is_a_short_name() {
        for (text, good) in [
            ("turnout-client", true),
            ("@acme/live_2", true),
            ("@acme/live-2", true),
            ("1.0.0-rc.1+5", true),
            ("", false),
            ("-x", false),
            ("a b", false),
            ("é", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            let mut body = report(0, json!({}));
            body["client"] = text.into();
            check(text, &body, if good { Ok(0) } else { Err(BadReport::Library("client")) });
            let schema = json!({ "pattern": format!("^{LIBRARY}$") });
            let matches = jsonschema::draft202012::new(&schema).unwrap().is_valid(&json!(text));
            assert_eq!(matches, good, "{text}");
        }
    }
}

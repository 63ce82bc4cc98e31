//! What is counted of reports, by flag and strategy. Numbers alone, and they only rise.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use turnout_api::reports::{
    ClientMode, FlagReport, INTERVAL_BOUNDS_MS, LATENCY_BOUNDS_MS, SwitchReason,
};

use crate::flag::{FlagKey, Strategy};

/// The most flags that are counted: a megabyte for each strategy.
const MAX_FLAGS: usize = 1_000;
/// A latency over this is what `perceived_latency_over_10s` counts.
const LONG_LATENCY_MS: u64 = 10_000;

/// The counts of every flag and strategy that was reported.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<FlagKey, OfFlag>>);

type OfFlag = [Option<Arc<FlagCounts>>; Strategy::ALL.len()];

impl Counts {
    /// The counts of a flag and strategy; none if as many flags are counted as may be.
    pub fn of(&self, flag: &FlagKey, strategy: Strategy) -> Option<Arc<FlagCounts>> {
        let mut flags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !flags.contains_key(flag) && flags.len() >= MAX_FLAGS {
            return None;
        }
        let of_flag = flags.entry(flag.clone()).or_default();
        Some(of_flag[strategy as usize].get_or_insert_default().clone())
    }

    /// All that was counted of the flags that are there; the others are forgotten.
    pub fn rows(
        &self,
        is_there: impl Fn(&FlagKey) -> bool,
    ) -> Vec<(FlagKey, Strategy, Arc<FlagCounts>)> {
        let mut flags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flags.retain(|flag, _| is_there(flag));
        let mut rows = Vec::new();
        for (flag, of_flag) in &*flags {
            for (strategy, counts) in Strategy::ALL.into_iter().zip(of_flag) {
                rows.extend(counts.clone().map(|counts| (flag.clone(), strategy, counts)));
            }
        }
        rows
    }
}

/// What the users of one strategy of a flag reported.
#[derive(Debug, Default)]
pub struct FlagCounts {
    pub poll_success: AtomicU64,
    pub poll_error: AtomicU64,
    pub intervals: Ranges<{ INTERVAL_BOUNDS_MS.len() + 1 }>,
    pub latencies: Ranges<{ LATENCY_BOUNDS_MS.len() + 1 }>,
    pub complaints: AtomicU64,
    pub live_ms: AtomicU64,
    /// By what the client did at the end of its window.
    windows: [AtomicU64; ClientMode::ALL.len()],
    switches: [[AtomicU64; SwitchReason::ALL.len()]; ClientMode::ALL.len()],
    signs: [AtomicU64; Sign::ALL.len()],
}

/// What else clients count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    PollEmpty,
    PollLimited,
    RealtimeConnect,
    RealtimeFailure,
    RefreshFailure,
    Copy,
    Reset,
    /// The client holds another strategy than the server knows.
    OtherStrategy,
}

impl Sign {
    pub const ALL: [Sign; 8] = [
        Sign::PollEmpty,
        Sign::PollLimited,
        Sign::RealtimeConnect,
        Sign::RealtimeFailure,
        Sign::RefreshFailure,
        Sign::Copy,
        Sign::Reset,
        Sign::OtherStrategy,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Sign::PollEmpty => "poll-empty",
            Sign::PollLimited => "poll-limited",
            Sign::RealtimeConnect => "realtime-connect",
            Sign::RealtimeFailure => "realtime-failure",
            Sign::RefreshFailure => "refresh-failure",
            Sign::Copy => "copy",
            Sign::Reset => "reset",
            Sign::OtherStrategy => "other-strategy",
        }
    }
}

impl FlagCounts {
    /// Adds what a report says of the flag; `strategy` is the one that the server knows.
    pub fn add(&self, part: &FlagReport, strategy: Strategy, with_complaint: bool) {
        let FlagReport { poll, realtime, .. } = part;
        let is_other = part.strategy.is_some_and(|held| held != strategy);
        for (count, number) in [
            (&self.poll_success, poll.success),
            (&self.poll_error, poll.error),
            (&self.complaints, u64::from(part.complaint && with_complaint)),
            (&self.live_ms, realtime.live_ms),
            (&self.windows[part.mode as usize], 1),
            (self.sign(Sign::PollEmpty), poll.empty),
            (self.sign(Sign::PollLimited), poll.limited),
            (self.sign(Sign::RealtimeConnect), realtime.connects),
            (self.sign(Sign::RealtimeFailure), realtime.failures),
            (self.sign(Sign::RefreshFailure), part.refresh_failures),
            (self.sign(Sign::Copy), part.dedup_drops),
            (self.sign(Sign::Reset), part.resets),
            (self.sign(Sign::OtherStrategy), u64::from(is_other)),
        ] {
            count.fetch_add(number, Relaxed);
        }
        self.intervals.add(&part.interval_ms.buckets, part.interval_ms.sum_ms);
        self.latencies.add(&part.latency_ms.buckets, part.latency_ms.sum_ms);
        for switch in &part.switches {
            self.switches[switch.to as usize][switch.reason as usize].fetch_add(1, Relaxed);
        }
    }

    /// How many latencies are over 10 s.
    pub fn long_latencies(&self) -> u64 {
        let shorter = LATENCY_BOUNDS_MS.iter().filter(|bound| **bound <= LONG_LATENCY_MS).count();
        self.latencies.counts[shorter..].iter().map(|count| count.load(Relaxed)).sum()
    }

    /// By what the client did at the end of its window.
    pub fn windows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ClientMode::ALL.into_iter().zip(&self.windows).filter_map(|(mode, count)| {
            Some((mode.as_str(), count.load(Relaxed))).filter(|(_, count)| *count > 0)
        })
    }

    /// By what the client did then, and why.
    pub fn switches(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        ClientMode::ALL.into_iter().zip(&self.switches).flat_map(|(to, counts)| {
            SwitchReason::ALL.into_iter().zip(counts).filter_map(move |(reason, count)| {
                Some((to.as_str(), reason.as_str(), count.load(Relaxed)))
                    .filter(|(_, _, count)| *count > 0)
            })
        })
    }

    pub fn signs(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Sign::ALL.into_iter().map(|sign| (sign.as_str(), self.sign(sign).load(Relaxed)))
    }

    fn sign(&self, sign: Sign) -> &AtomicU64 {
        &self.signs[sign as usize]
    }
}

/// How many values were in which range.
#[derive(Debug)]
pub struct Ranges<const N: usize> {
    counts: [AtomicU64; N],
    sum_ms: AtomicU64,
}

impl<const N: usize> Default for Ranges<N> {
    fn default() -> Ranges<N> {
        Ranges { counts: std::array::from_fn(|_| AtomicU64::new(0)), sum_ms: AtomicU64::new(0) }
    }
}

impl<const N: usize> Ranges<N> {
    fn add(&self, counts: &[u64], sum_ms: u64) {
        for (count, number) in self.counts.iter().zip(counts) {
            count.fetch_add(*number, Relaxed);
        }
        self.sum_ms.fetch_add(sum_ms, Relaxed);
    }

    /// The sum, the count, and each range's upper bound with its own count.
    pub fn read(&self, bounds: &[u64]) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = bounds.iter().map(|bound| *bound as f64).chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Relaxed));
        let ranges: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = ranges.iter().map(|(_, count)| count).sum();
        (self.sum_ms.load(Relaxed) as f64, count, ranges)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_number_is_counted_where_it_belongs() {
        let part: FlagReport = serde_json::from_value(json!({
            "flag": "chat", "mode": "degraded", "strategy": "polling",
            "poll": { "success": 5, "error": 2, "empty": 3, "limited": 1 },
            "latencyMs": { "buckets": [0, 0, 0, 0, 0, 0, 2, 3, 4], "sumMs": 190_000 },
            "realtime": { "connects": 6, "failures": 7, "liveMs": 800 },
            "switches": [{ "from": "live", "to": "degraded", "reason": "unreachable" }],
            "refreshFailures": 8, "dedupDrops": 9, "resets": 10, "complaint": true,
        }))
        .unwrap();
        let counts = FlagCounts::default();
        counts.add(&part, Strategy::RealtimeV2, true);
        counts.add(&part, Strategy::RealtimeV2, false);
        assert_eq!(counts.poll_success.load(Relaxed), 10);
        assert_eq!(counts.poll_error.load(Relaxed), 4);
        assert_eq!(counts.complaints.load(Relaxed), 1, "the second was too soon");
        assert_eq!(counts.live_ms.load(Relaxed), 1_600);
        assert_eq!(counts.long_latencies(), 14);
        let (sum, count, ranges) = counts.latencies.read(&LATENCY_BOUNDS_MS);
        assert_eq!((sum, count, ranges.len()), (380_000.0, 18, 9));
        assert_eq!(counts.windows().collect::<Vec<_>>(), [("degraded", 2)]);
        assert_eq!(counts.switches().collect::<Vec<_>>(), [("degraded", "unreachable", 2)]);
        let signs: Vec<u64> = counts.signs().map(|(_, count)| count).collect();
        assert_eq!(signs, [6, 2, 12, 14, 16, 18, 20, 2]);
    }

    #[test]
    fn a_thousand_flags_are_counted_and_those_that_are_gone_make_room() {
        let counts = Counts::default();
        let key = |n: usize| format!("f{n}").parse::<FlagKey>().unwrap();
        for n in 0..MAX_FLAGS {
            assert!(counts.of(&key(n), Strategy::Polling).is_some());
        }
        assert!(counts.of(&key(MAX_FLAGS), Strategy::Polling).is_none());
        assert!(counts.of(&key(0), Strategy::Disabled).is_some(), "one that is counted already");
        let gone = key(5);
        assert_eq!(counts.rows(|flag| *flag != gone).len(), MAX_FLAGS);
        assert!(counts.of(&key(MAX_FLAGS), Strategy::Polling).is_some());
    }
}

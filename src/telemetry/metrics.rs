//! The registry of metrics: every name with its kind, its labels and its help. `docs/METRICS.md`
//! lists the same, and a test compares them.
//!
//! A metric is counted where the thing happens; a collector writes the numbers to a
//! [`MetricsPage`]. No label is a user id or an unbounded key.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// The media type of a page.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The most flags with rows of their own; `turnout_flags_left_out` counts the others.
pub const MAX_FLAGS: usize = 1000;

/// How a number changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises while the process lives; its name gets `_total` on the page.
    Counter,
    Gauge,
    /// How often a value was in which range.
    Histogram,
}

/// A registered metric.
#[derive(Debug)]
pub struct Metric {
    name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

impl Metric {
    /// Its name as shown on the page.
    pub fn shown(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

macro_rules! registry {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub const $constant: Metric = Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*
        /// Every metric.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

registry! {
    REVISION: Gauge "turnout_revision" [] "The revision that is live";
    FLAGS: Gauge "turnout_flags" [] "Flags that are live";
    FLAG_REVISION: Gauge "turnout_flag_revision" ["flag"] "The revision at which the flag last changed";
    FLAG_SHARE: Gauge "turnout_flag_share" ["flag", "strategy"] "What the split in force gives the strategy, from 0 to 1; a stop stands beside it";
    FLAG_STOPPED: Gauge "turnout_flag_stopped" ["flag"] "1 while the flag is stopped";
    FLAGS_LEFT_OUT: Gauge "turnout_flags_left_out" [] "Flags without rows of their own, as there are more than 1000";
    PROBLEMS: Gauge "turnout_problems" [] "Problems there are";
    STALE: Gauge "turnout_stale_seconds" [] "Seconds since the database was in reach";
    DATABASE_UP: Gauge "turnout_database_up" [] "1 while the database is in reach and believed";
    PENDING: Gauge "turnout_pending_changes" [] "Changes that are live and not yet in the database";
    DATABASE_BYTES: Gauge "turnout_database_bytes" [] "Size of the database's file";
    WAL_BYTES: Gauge "turnout_database_wal_bytes" [] "Size of the database's write-ahead log";
    JOURNAL_BYTES: Gauge "turnout_journal_used_bytes" [] "Room of the journal that pending changes take";
    DISK_FREE: Gauge "turnout_disk_free_bytes" [] "Room on the disk of the data folder that this user may fill";
    WATCH_POLLING: Gauge "turnout_watch_polling" [] "1 while changes of files are found by polling";
    TOKEN_EXPIRES: Gauge "turnout_token_expires_timestamp_seconds" [] "When the token that ends next does, in seconds since 1970";
    REVOKED_SESSIONS: Gauge "turnout_revoked_sessions" [] "Users whose sessions were revoked within 25 hours, and groups of users";
    STREAMS: Gauge "turnout_streams" [] "Streams that are open";
    STREAMS_OPENED: Counter "turnout_streams_opened" [] "Streams that were ever opened";
    STREAMS_REFUSED: Counter "turnout_streams_refused" [] "Streams there was no room for";
    STREAM_DECISIONS: Counter "turnout_stream_decisions" [] "Flags that were decided for streams";
    HELD_BYTES: Gauge "turnout_held_bytes" ["bound"] "Bytes that callers make the server hold";
    BOUND_REACHED: Counter "turnout_bound_reached" ["bound"] "How often a bound left no room";
    HTTP_REQUESTS: Counter "turnout_http_requests" ["listener", "route", "status"] "Requests that were answered";
    READINGS: Counter "turnout_readings" [] "Calls that only look, and verifications, that were begun beside the thread of orders";
    READINGS_WAITING: Gauge "turnout_readings_waiting" [] "Calls that only look and wait for their turn";
    EVALUATIONS: Counter "turnout_evaluations" ["flag", "strategy", "rule"] "Evaluations by outcome";
    POLLS: Counter "turnout_polls" ["outcome"] "Polls of streams by what came of them: new, empty or error";
    POLLS_HELD: Gauge "turnout_polls_held" [] "Polls that wait for an event";
    QUOTA_REFUSALS: Counter "turnout_quota_refusals" ["policy"] "Answers that users did not get, as they had as many as there may be: feed, token, reports or realtime";
    EVENTS_IN: Counter "turnout_events_in" [] "Events that were published and taken";
    EVENTS_BYTES: Gauge "turnout_events_bytes" [] "Bytes of events that are kept";
    EVENTS_QUERIES: Counter "turnout_events_queries" [] "Queries of the database of events for polls and lists";
    PUBLISH_SECONDS: Histogram "turnout_publish_seconds" [] "Seconds from a publish to its commit";
    POLLS_PER_BUILD: Histogram "turnout_poll_events_per_build" [] "Polls of a stream until it ended";
    BUILD_POLL_SUCCESS: Counter "build_poll_success" ["flag", "strategy"] "Polls that were answered, as clients report";
    BUILD_POLL_ERROR: Counter "build_poll_error" ["flag", "strategy"] "Polls that failed, as clients report";
    BUILD_POLL_INTERVAL: Histogram "build_poll_interval_ms" ["flag", "strategy"] "Milliseconds between two polls of a stream, as clients report; 60 s at most";
    PERCEIVED_LATENCY: Histogram "perceived_latency_ms" ["flag", "strategy"] "Milliseconds from an event to its client, as clients report; 30 s at most";
    PERCEIVED_LATENCY_LONG: Counter "perceived_latency_over_10s" ["flag", "strategy"] "How many of these were over 10 s";
    COMPLAINTS: Counter "turnout_complaints" ["flag", "strategy"] "Reports whose user pressed \"report a problem\"";
    CLIENT_WINDOWS: Counter "turnout_client_windows" ["flag", "strategy", "mode"] "Windows that clients report, by what the client did at the end";
    CLIENT_SWITCHES: Counter "turnout_client_switches" ["flag", "strategy", "to", "reason"] "How often clients did something else than before, and why";
    CLIENT_LIVE: Counter "turnout_client_live_seconds" ["flag", "strategy"] "For how long streams of clients were live, all together";
    CLIENT_SIGNS: Counter "turnout_client_signs" ["flag", "strategy", "sign"] "What else clients report";
    CLIENT_REPORTS: Counter "turnout_client_reports" ["outcome"] "Reports that were taken, by what became of them";
    WEBHOOK_BEHIND: Gauge "turnout_webhook_behind" [] "Revisions the webhook has not taken yet";
    WEBHOOK_DELIVERIES: Counter "turnout_webhook_deliveries" ["outcome"] "What came of posting revisions";
    LOG_LINES_DROPPED: Counter "turnout_log_lines_dropped" [] "Lines that were dropped because stderr took none";
}

/// A number on a page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Whole(u64),
    Ratio(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Number {
        Number::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Number {
        Number::Whole(number as u64)
    }
}

impl From<bool> for Number {
    fn from(holds: bool) -> Number {
        Number::Whole(u64::from(holds))
    }
}

/// The text of a page; `fill` writes the numbers.
pub fn page(fill: impl Fn(&mut MetricsPage<'_>) -> fmt::Result + Send + Sync + 'static) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Fill(fill)));
    let mut text = String::new();
    // Writing to a `String` does not fail.
    let _ = encode(&mut text, &registry);
    text
}

/// Writes numbers, one metric at a time.
pub struct MetricsPage<'a>(DescriptorEncoder<'a>);

impl MetricsPage<'_> {
    /// Writes a metric without labels.
    pub fn one(&mut self, metric: &Metric, number: impl Into<Number>) -> fmt::Result {
        debug_assert!(metric.labels.is_empty(), "{} has labels", metric.name);
        let encoder =
            self.0.encode_descriptor(metric.name, metric.help, None, metric.kind.as_type())?;
        metric.kind.write(number.into(), encoder)
    }

    /// Writes a histogram: the sum and the count of its values, and the count of each range by its
    /// upper bound.
    pub fn histogram(
        &mut self,
        metric: &Metric,
        (sum, count, ranges): (f64, u64, Vec<(f64, u64)>),
    ) -> fmt::Result {
        debug_assert_eq!(metric.kind, Kind::Histogram, "{} is none", metric.name);
        let mut encoder =
            self.0.encode_descriptor(metric.name, metric.help, None, metric.kind.as_type())?;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &ranges, None)
    }

    /// Writes a histogram with labels and all its rows.
    pub fn histograms<'r, const LABELS: usize>(
        &mut self,
        metric: &Metric,
        mut rows: impl Iterator<Item = ([&'r str; LABELS], (f64, u64, Vec<(f64, u64)>))>,
    ) -> fmt::Result {
        debug_assert_eq!(metric.kind, Kind::Histogram, "{} is none", metric.name);
        let mut family = self.family(metric)?;
        rows.try_for_each(|(values, (sum, count, ranges))| {
            let labels = family.labels(values);
            let mut encoder = family.encoder.encode_family(&labels)?;
            encoder.encode_histogram::<NoLabelSet>(sum, count, &ranges, None)
        })
    }

    /// Begins a metric with labels, to which rows are added.
    pub fn family<'p, const LABELS: usize>(
        &'p mut self,
        metric: &'p Metric,
    ) -> Result<Family<'p, LABELS>, fmt::Error> {
        debug_assert_eq!(metric.labels.len(), LABELS, "{} has other labels", metric.name);
        let encoder =
            self.0.encode_descriptor(metric.name, metric.help, None, metric.kind.as_type())?;
        Ok(Family { metric, encoder })
    }

    /// Writes a metric with labels and all its rows.
    pub fn rows<'r, const LABELS: usize, N: Into<Number>>(
        &mut self,
        metric: &Metric,
        mut rows: impl Iterator<Item = ([&'r str; LABELS], N)>,
    ) -> fmt::Result {
        let mut family = self.family(metric)?;
        rows.try_for_each(|(values, number)| family.row(values, number))
    }
}

/// The rows of one metric.
pub struct Family<'p, const LABELS: usize> {
    metric: &'p Metric,
    encoder: MetricEncoder<'p>,
}

impl<const LABELS: usize> Family<'_, LABELS> {
    /// Adds a row; the values of its labels are in the order of registration.
    pub fn row(&mut self, values: [&str; LABELS], number: impl Into<Number>) -> fmt::Result {
        let labels = self.labels(values);
        self.metric.kind.write(number.into(), self.encoder.encode_family(&labels)?)
    }

    fn labels<'v>(&self, values: [&'v str; LABELS]) -> [(&'static str, &'v str); LABELS] {
        let mut labels = [("", ""); LABELS];
        for (label, pair) in labels.iter_mut().zip(self.metric.labels.iter().copied().zip(values)) {
            *label = pair;
        }
        labels
    }
}

impl Kind {
    fn as_type(self) -> MetricType {
        match self {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        }
    }

    fn write(self, number: Number, encoder: MetricEncoder<'_>) -> fmt::Result {
        match (self, number) {
            (Kind::Counter, Number::Whole(number)) => ConstCounter::new(number).encode(encoder),
            (Kind::Counter, Number::Ratio(number)) => ConstCounter::new(number).encode(encoder),
            (Kind::Gauge, Number::Whole(number)) => {
                ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX)).encode(encoder)
            }
            (Kind::Gauge, Number::Ratio(number)) => ConstGauge::new(number).encode(encoder),
            // It has a way of its own.
            (Kind::Histogram, _) => Err(fmt::Error),
        }
    }
}

struct Fill<F>(F);

impl<F> fmt::Debug for Fill<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fill")
    }
}

impl<F: Fn(&mut MetricsPage<'_>) -> fmt::Result + Send + Sync + 'static> Collector for Fill<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0(&mut MetricsPage(encoder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_cannot_leave_their_quotes() {
        let text =
            page(|page| page.rows(&WEBHOOK_DELIVERIES, [(["a\"b\\c\nd"], 1u64)].into_iter()));
        assert!(
            text.contains("turnout_webhook_deliveries_total{outcome=\"a\\\"b\\\\c\\nd\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn names_follow_the_rules_of_their_kind() {
        for (place, metric) in ALL.iter().enumerate() {
            // The rollout plan gave these their names.
            let is_ours = ["turnout_", "build_poll_", "perceived_latency_"]
                .iter()
                .any(|prefix| metric.name.starts_with(prefix));
            assert!(is_ours && !metric.name.ends_with("_total"), "{metric:?}");
            assert!(
                metric
                    .name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{metric:?}"
            );
            assert!(
                ALL[..place].iter().all(|other| other.name != metric.name),
                "{metric:?} is registered twice"
            );
            assert!(!metric.help.ends_with('.'), "the page adds the stop: {metric:?}");
        }
    }
}

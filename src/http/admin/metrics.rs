//! `GET /metrics`: all counters, collected from where they are counted.
//!
//! Collecting copies no state: flags are read from the live snapshot, and evaluations one part at a
//! time.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use turnout_api::reports::{INTERVAL_BOUNDS_MS, LATENCY_BOUNDS_MS};

use super::answer::respond;
use super::state::AdminState;
use crate::control::Database;
use crate::convergence::TooManyStreams;
use crate::data_dir::DiskUsage;
use crate::flag::Strategy;
use crate::reports::{FlagCounts, Reports};
use crate::snapshot::{FlagSnapshot, Snapshot};
use crate::telemetry::log_lines_dropped;
use crate::telemetry::metrics::{
    self as registry, MAX_FLAGS, MetricsPage, Number, OPENMETRICS, page,
};

/// How many outcomes are read in one go.
const OUTCOMES_AT_ONCE: usize = 256;
/// How long the disk may take to report what is on it; after that the page is sent without it.
const DISK_AT_MOST: Duration = Duration::from_millis(250);

pub async fn metrics(State(state): State<AdminState>) -> Response<Body> {
    let data = state.coordinator.data().clone();
    let disk =
        state.scrapes.disk.within(DISK_AT_MOST, move || data.usage()).await.unwrap_or_default();
    let collected = state.clone();
    respond(&state, StatusCode::OK, OPENMETRICS, page(move |page| collected.collect(page, disk)))
}

/// A bound by its name, how many bytes are held if it is a bound in bytes, and how often it left no
/// room.
type Bound = (&'static str, Option<usize>, u64);

impl AdminState {
    /// Every bound on what callers make the server hold.
    fn bounds(&self) -> Vec<Bound> {
        let state = &self.public;
        let streams = state.hub.streams();
        let (all, strangers) = streams.taken();
        let held_of = |bound| match bound {
            TooManyStreams::Bytes => Some(all.bytes),
            TooManyStreams::BytesOfStrangers => Some(strangers.bytes),
            _ => None,
        };
        let (remembered, evicted) = state
            .authenticator
            .sessions
            .as_ref()
            .map(|sessions| sessions.remembered())
            .unwrap_or_default();
        let mut bounds: Vec<Bound> = streams
            .refused()
            .map(|(bound, count)| (bound.as_str(), held_of(bound), count))
            .collect();
        bounds.extend(self.held.rows().map(|(bound, bytes, count)| (bound, Some(bytes), count)));
        bounds.push((
            "arriving-questions",
            Some(state.incoming_questions.bytes()),
            state.incoming_questions.cut(),
        ));
        bounds.push((
            "arriving-orders",
            Some(state.incoming_commands.bytes()),
            state.incoming_commands.cut(),
        ));
        let (counted, forgotten) = state.quota.size();
        bounds.push(("counted-users", Some(counted), forgotten));
        bounds.push(("remembered-tokens", Some(remembered), evicted));
        let (bytes, refused) = state.reports.held();
        bounds.push(("reporting-users", Some(bytes), refused));
        bounds.push(("waiting-readings", None, self.readings.refused()));
        bounds
    }

    fn collect(&self, page: &mut MetricsPage<'_>, disk: DiskUsage) -> fmt::Result {
        let snapshot = self.public.live.current().clone();
        page.one(&registry::REVISION, snapshot.position().revision)?;
        collect_flags(page, &snapshot)?;
        self.collect_state(page, &snapshot, disk)?;
        self.collect_listeners(page)?;
        collect_evaluations(page, &snapshot)?;
        self.collect_feeds(page)?;
        collect_reports(page, &self.public.reports, &snapshot)?;
        if let Some(deliveries) = &self.deliveries {
            page.one(&registry::WEBHOOK_BEHIND, deliveries.lag())?;
            page.rows(
                &registry::WEBHOOK_DELIVERIES,
                deliveries.rows().map(|(outcome, count)| ([outcome], count)),
            )?;
        }
        page.one(&registry::LOG_LINES_DROPPED, log_lines_dropped())
    }

    fn collect_state(
        &self,
        page: &mut MetricsPage<'_>,
        snapshot: &Snapshot,
        disk: DiskUsage,
    ) -> fmt::Result {
        let state = &self.public;
        page.one(&registry::PROBLEMS, state.problems.count())?;
        page.one(&registry::STALE, state.staleness.stale_seconds())?;
        page.one(&registry::DATABASE_UP, self.coordinator.store_status().database == Database::Up)?;
        page.one(&registry::PENDING, u64::from(snapshot.position().pending))?;
        page.one(&registry::REVOKED_SESSIONS, self.coordinator.revoked_sessions().len())?;
        page.one(&registry::WATCH_POLLING, self.watch.is_polling())?;
        for (metric, bytes) in [
            (&registry::DATABASE_BYTES, disk.database),
            (&registry::WAL_BYTES, disk.wal),
            (&registry::DISK_FREE, disk.free),
            (&registry::JOURNAL_BYTES, self.coordinator.journal_used().map(|bytes| bytes as u64)),
        ] {
            if let Some(bytes) = bytes {
                page.one(metric, bytes)?;
            }
        }
        let known = self.coordinator.credentials().borrow().clone();
        let ends = known
            .living(self.coordinator.clock().wall_ms())
            .filter_map(|credential| credential.record.expires_at_ms);
        match ends.min() {
            Some(nearest) => page.one(&registry::TOKEN_EXPIRES, nearest as u64 / 1000),
            None => Ok(()),
        }
    }

    fn collect_feeds(&self, page: &mut MetricsPage<'_>) -> fmt::Result {
        let feeds = &self.public.feeds;
        let counts = feeds.counts();
        page.rows(&registry::POLLS, counts.polls().map(|(outcome, count)| ([outcome], count)))?;
        page.one(&registry::POLLS_HELD, self.public.held_polls.count())?;
        let refused = self.public.quota.refused();
        page.rows(
            &registry::QUOTA_REFUSALS,
            refused.map(|(policy, count)| ([policy.as_str()], count)),
        )?;
        page.one(&registry::EVENTS_IN, counts.events_in.load(Relaxed))?;
        page.one(&registry::EVENTS_BYTES, feeds.kept_bytes())?;
        page.one(&registry::EVENTS_QUERIES, feeds.queries())?;
        page.histogram(&registry::PUBLISH_SECONDS, counts.publish_seconds.read())?;
        page.histogram(&registry::POLLS_PER_BUILD, counts.polls_per_build.read())
    }

    fn collect_listeners(&self, page: &mut MetricsPage<'_>) -> fmt::Result {
        let streams = self.public.hub.streams();
        page.one(&registry::STREAMS, streams.count())?;
        page.one(&registry::STREAMS_OPENED, streams.opened())?;
        page.one(
            &registry::STREAMS_REFUSED,
            streams.refused().map(|(_, count)| count).sum::<u64>(),
        )?;
        page.one(&registry::STREAM_DECISIONS, self.public.hub.decisions())?;
        page.one(&registry::READINGS, self.readings.begun())?;
        page.one(&registry::READINGS_WAITING, self.readings.waiting())?;
        let bounds = self.bounds();
        page.rows(
            &registry::HELD_BYTES,
            bounds.iter().filter_map(|(bound, bytes, _)| Some(([*bound], (*bytes)?))),
        )?;
        page.rows(
            &registry::BOUND_REACHED,
            bounds.iter().map(|(bound, _, count)| ([*bound], *count)),
        )?;
        page.rows(&registry::HTTP_REQUESTS, self.public.requests.rows().chain(self.requests.rows()))
    }
}

/// The first flags in the order of their keys, and how many more there are.
fn collect_flags(page: &mut MetricsPage<'_>, snapshot: &Snapshot) -> fmt::Result {
    let all = snapshot.flags();
    let flags = &all[..all.len().min(MAX_FLAGS)];
    page.one(&registry::FLAGS, all.len())?;
    page.one(&registry::FLAGS_LEFT_OUT, all.len() - flags.len())?;
    page.rows(
        &registry::FLAG_REVISION,
        flags.iter().map(|flag| ([flag.key().as_str()], flag.changed_position().revision)),
    )?;
    page.rows(
        &registry::FLAG_STOPPED,
        flags.iter().map(|flag| ([flag.key().as_str()], flag.is_stopped())),
    )?;
    page.rows(&registry::FLAG_SHARE, flags.iter().flat_map(|flag| shares(flag)))
}

/// What share of a flag's buckets each strategy has; nothing where no good form of the flag is
/// known.
fn shares(entry: &FlagSnapshot) -> impl Iterator<Item = ([&str; 2], Number)> {
    let shares =
        entry.flag().map(|flag| flag.rollout.unwrap_or_default().shares(flag.definition.default));
    let row = |(strategy, share): (Strategy, crate::flag::Share)| {
        ([entry.key().as_str(), strategy.as_str()], Number::Ratio(share.ratio()))
    };
    shares.into_iter().flatten().map(row)
}

/// One part at a time, so that no snapshot built meanwhile waits for the page.
fn collect_evaluations(page: &mut MetricsPage<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut family = page.family(&registry::EVALUATIONS)?;
    let mut last = None;
    loop {
        let part = snapshot.tally().rows_after(last.as_ref(), OUTCOMES_AT_ONCE);
        for ((flag, strategy, rule), count) in part.iter().filter(|(_, count)| *count > 0) {
            family.row([flag.as_str(), strategy, rule], *count)?;
        }
        match part.into_iter().next_back() {
            Some((row, _)) => last = Some(row),
            None => return Ok(()),
        }
    }
}

/// What clients reported of the flags that are live.
fn collect_reports(
    page: &mut MetricsPage<'_>,
    reports: &Reports,
    snapshot: &Snapshot,
) -> fmt::Result {
    page.rows(
        &registry::CLIENT_REPORTS,
        reports.outcomes().map(|(outcome, count)| ([outcome], count)),
    )?;
    let rows = reports.rows(|flag| snapshot.flag(flag.as_str()).is_some());
    let each = || {
        rows.iter().map(|(flag, strategy, counts)| ([flag.as_str(), strategy.as_str()], &**counts))
    };
    let counter = |page: &mut MetricsPage<'_>, metric, number: fn(&FlagCounts) -> u64| {
        page.rows(metric, each().map(|(labels, counts)| (labels, number(counts))))
    };
    counter(page, &registry::BUILD_POLL_SUCCESS, |counts| counts.poll_success.load(Relaxed))?;
    counter(page, &registry::BUILD_POLL_ERROR, |counts| counts.poll_error.load(Relaxed))?;
    page.histograms(
        &registry::BUILD_POLL_INTERVAL,
        each().map(|(labels, counts)| (labels, counts.intervals.read(&INTERVAL_BOUNDS_MS))),
    )?;
    page.histograms(
        &registry::PERCEIVED_LATENCY,
        each().map(|(labels, counts)| (labels, counts.latencies.read(&LATENCY_BOUNDS_MS))),
    )?;
    counter(page, &registry::PERCEIVED_LATENCY_LONG, FlagCounts::long_latencies)?;
    counter(page, &registry::COMPLAINTS, |counts| counts.complaints.load(Relaxed))?;
    counter(page, &registry::CLIENT_LIVE, |counts| counts.live_ms.load(Relaxed) / 1_000)?;
    page.rows(
        &registry::CLIENT_WINDOWS,
        each().flat_map(|([flag, strategy], counts)| {
            counts.windows().map(move |(mode, count)| ([flag, strategy, mode], count))
        }),
    )?;
    page.rows(
        &registry::CLIENT_SWITCHES,
        each().flat_map(|([flag, strategy], counts)| {
            let switches = counts.switches();
            switches.map(move |(to, reason, count)| ([flag, strategy, to, reason], count))
        }),
    )?;
    page.rows(
        &registry::CLIENT_SIGNS,
        each().flat_map(|([flag, strategy], counts)| {
            counts.signs().map(move |(sign, count)| ([flag, strategy, sign], count))
        }),
    )
}

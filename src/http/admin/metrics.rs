//! `GET /metrics`: counters and gauges in OpenMetrics text. No user id and no unbounded key is ever a label.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

use super::AdminSurface;
use super::answer::respond;
use crate::clock;
use crate::control::Database;
use crate::convergence::NoRoom;

/// The media type of the answer.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub async fn metrics(State(surface): State<AdminSurface>) -> Response<Body> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collector(surface.clone())));
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, &registry);
    respond(&surface, StatusCode::OK, OPENMETRICS, text)
}

/// A bound by its name, how many bytes are held if it is one in bytes, and how often it left no room.
type Bound = (&'static str, Option<usize>, u64);

impl AdminSurface {
    /// Every bound on what callers make the server hold.
    fn bounds(&self) -> Vec<Bound> {
        let surface = &self.public;
        let streams = surface.hub.streams();
        let (all, strangers) = streams.taken();
        let held_of = |bound| match bound {
            NoRoom::Bytes => Some(all.bytes),
            NoRoom::BytesOfStrangers => Some(strangers.bytes),
            _ => None,
        };
        let (remembered, driven_out) = surface.gate.sessions.as_ref().map(|sessions| sessions.remembered()).unwrap_or_default();
        let mut bounds: Vec<Bound> = streams.refused().map(|(bound, count)| (bound.as_str(), held_of(bound), count)).collect();
        bounds.extend(self.held.rows().map(|(bound, bytes, count)| (bound, Some(bytes), count)));
        bounds.push(("arriving-questions", Some(surface.arriving.bytes()), surface.arriving.cut()));
        bounds.push(("arriving-orders", Some(surface.arriving_orders.bytes()), surface.arriving_orders.cut()));
        bounds.push(("remembered-tokens", Some(remembered), driven_out));
        bounds
    }
}

/// Reads the counters where they are kept.
#[derive(Debug)]
struct Collector(AdminSurface);

impl prometheus_client::collector::Collector for Collector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let surface = &self.0.public;
        let snapshot = surface.live.current().clone();
        let mut gauge = |name: &str, help: &str, value: u64| {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value as i64).encode(encoder)
        };
        gauge("turnout_revision", "The revision that is live", snapshot.position().revision)?;
        gauge("turnout_flags", "Flags that are live", snapshot.flags().len() as u64)?;
        gauge("turnout_problems", "Problems there are", surface.problems.count() as u64)?;
        gauge("turnout_stale_seconds", "Seconds since the database was in reach", surface.contact.stale_seconds())?;
        let up = self.0.corridor.standing().database == Database::Up;
        gauge("turnout_database_up", "1 while the database is in reach and believed", u64::from(up))?;
        let pending = snapshot.position().pending;
        gauge("turnout_pending_changes", "Changes that are live and not yet in the database", u64::from(pending))?;
        gauge("turnout_watch_polling", "1 while changes are found by polling", u64::from(self.0.watch.as_str() == "polling"))?;
        gauge("turnout_streams", "Streams that are open", surface.hub.streams().count() as u64)?;
        let known = self.0.corridor.credentials().borrow().clone();
        let ends = known.living(clock::wall_ms()).filter_map(|credential| credential.record.expires_at_ms);
        if let Some(nearest) = ends.min() {
            let help = "When the token that ends next does, in seconds since 1970";
            gauge("turnout_token_expires_timestamp_seconds", help, nearest as u64 / 1000)?;
        }
        if let Some(deliveries) = &self.0.deliveries {
            gauge("turnout_webhook_behind", "Revisions the webhook has not taken yet", deliveries.behind())?;
            let mut family = encoder.encode_descriptor(
                "turnout_webhook_deliveries",
                "What came of posting revisions",
                None,
                ConstCounter::<u64>::TYPE,
            )?;
            for (outcome, count) in deliveries.rows() {
                ConstCounter::new(count).encode(family.encode_family(&[("outcome", outcome)])?)?;
            }
        }

        let dropped = crate::telemetry::log_lines_dropped();
        let streams = surface.hub.streams();
        let refused = streams.refused().map(|(_, count)| count).sum();
        for (name, help, count) in [
            ("turnout_log_lines_dropped", "Lines that were dropped because stderr took none", dropped),
            ("turnout_streams_opened", "Streams that were ever opened", streams.opened()),
            ("turnout_stream_decisions", "Flags that were decided for streams", surface.hub.decisions()),
            ("turnout_streams_refused", "Streams there was no room for", refused),
        ] {
            ConstCounter::new(count).encode(encoder.encode_descriptor(name, help, None, ConstCounter::<u64>::TYPE)?)?;
        }

        let bounds = self.0.bounds();
        let mut family = encoder.encode_descriptor(
            "turnout_held_bytes",
            "Bytes that callers make the server hold",
            None,
            MetricType::Gauge,
        )?;
        for (bound, bytes, _) in bounds.iter().filter_map(|(bound, bytes, count)| Some((bound, (*bytes)?, count))) {
            ConstGauge::new(bytes as i64).encode(family.encode_family(&[("bound", *bound)])?)?;
        }
        let mut family = encoder.encode_descriptor(
            "turnout_bound_reached",
            "How often a bound left no room",
            None,
            ConstCounter::<u64>::TYPE,
        )?;
        for (bound, _, count) in &bounds {
            ConstCounter::new(*count).encode(family.encode_family(&[("bound", *bound)])?)?;
        }

        let mut family =
            encoder.encode_descriptor("turnout_http_answers", "Answers by status", None, ConstCounter::<u64>::TYPE)?;
        for (status, count) in surface.statuses.rows() {
            ConstCounter::new(count).encode(family.encode_family(&[("status", status.to_string())])?)?;
        }
        let mut family =
            encoder.encode_descriptor("turnout_evaluations", "Evaluations by outcome", None, ConstCounter::<u64>::TYPE)?;
        for ((flag, strategy, rule), count) in snapshot.tally().rows() {
            let labels = [("flag", flag.as_str()), ("strategy", strategy), ("rule", rule)];
            let encoder: MetricEncoder = family.encode_family(&labels)?;
            ConstCounter::new(count).encode(encoder)?;
        }
        Ok(())
    }
}

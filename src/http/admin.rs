//! The admin listener's routes: metrics, and what is wrong.
//!
//! It answers loopback only, and only to somebody who asked for a loopback name: a page in a browser that had its own name pointed
//! here gets nothing.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use serde_json::json;

use super::Surface;
use crate::definition::Finding;
use crate::watch::Mode;

/// What the admin listener tells of.
#[derive(Clone, Debug)]
pub struct AdminSurface {
    pub public: Surface,
    pub watch: Mode,
    /// The flags folder, as it was named.
    pub flags: String,
}

pub fn routes(surface: AdminSurface) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/v1/problems", get(problems))
        .route("/healthz", get(|| async { respond(StatusCode::OK, JSON, json!({ "status": "ok" }).to_string()) }))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "no-such-route", "there is nothing at this address") })
        .method_not_allowed_fallback(|| async {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", "this address does not take this method")
        })
        .layer(from_fn(loopback_names_only))
        .with_state(surface)
}

async fn loopback_names_only(request: Request, next: Next) -> Response<Body> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    match name {
        "127.0.0.1" | "localhost" | "[::1]" => next.run(request).await,
        _ => refuse(StatusCode::FORBIDDEN, "wrong-host", "this listener answers to 127.0.0.1 and localhost only"),
    }
}

/// What is wrong at the moment, and how it is noticed.
async fn problems(State(surface): State<AdminSurface>) -> Response<Body> {
    let problem = |finding: &Finding| {
        json!({
            "code": finding.code.as_str(),
            "file": &*finding.file,
            "line": finding.place.map(|place| place.line),
            "column": finding.place.map(|place| place.column),
            "message": &finding.message,
            "hint": &finding.hint,
        })
    };
    let problems = surface.public.problems.current();
    let body = json!({
        "flags": surface.flags,
        "watch": surface.watch.as_str(),
        "revision": surface.public.live.current().position().to_string(),
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    });
    respond(StatusCode::OK, JSON, body.to_string())
}

async fn metrics(State(surface): State<AdminSurface>) -> Response<Body> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collector(surface)));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => respond(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "metrics", "the metrics could not be written"),
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
        gauge("turnout_problems", "Problems in the flags folder", surface.problems.count() as u64)?;
        gauge("turnout_stale_seconds", "Seconds since the source of the flags could be read", surface.contact.stale_seconds())?;
        gauge("turnout_watch_polling", "1 while changes are found by polling", u64::from(self.0.watch.as_str() == "polling"))?;

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

const JSON: &str = "application/json";

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(status: StatusCode, code: &str, detail: &str) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "title": title, "status": status.as_u16(), "code": code, "detail": detail });
    respond(status, "application/problem+json", body.to_string())
}

//! How far a change has landed: by flag, and of all at once.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::AdminSurface;
use super::answer::{json as answer, refuse};
use super::flags::unknown;
use super::view::CountsView;
use crate::convergence::{PollersSeen, Reached, Report};
use crate::http::question::{FlagPath, key};

pub async fn of_flag(State(surface): State<AdminSurface>, path: FlagPath) -> Response<Body> {
    let flag = key(&path);
    let hub = &surface.public.hub;
    let report = hub.landed().of_flag(&surface.public.live.current(), flag, hub.streams(), hub.now_ms());
    match report {
        Some(report) => answer(&surface, StatusCode::OK, &told(&surface, Some(flag), &report)),
        None => refuse(&surface, &unknown(&surface.coordinator.truth(), flag)),
    }
}

pub async fn of_all(State(surface): State<AdminSurface>) -> Response<Body> {
    let hub = &surface.public.hub;
    let report = hub.landed().of_all(&surface.public.live.current(), hub.streams(), hub.now_ms());
    answer(&surface, StatusCode::OK, &told(&surface, None, &report))
}

fn told(surface: &AdminSurface, flag: Option<&str>, report: &Report) -> Json {
    let Report { position, live_at, counts: of_streams, reached } = report;
    let Reached { p50_ms, p90_ms, p99_ms } = reached;
    let (wall_ms, at_ms) = live_at.unzip();
    let PollersSeen { seen, asked_since } = surface.public.hub.pollers().seen(flag, at_ms.unwrap_or_default());
    json!({
        "flag": flag,
        "position": position.to_string(),
        "liveAtMs": wall_ms,
        "streams": CountsView::from(*of_streams),
        "reached": { "p50Ms": p50_ms, "p90Ms": p90_ms, "p99Ms": p99_ms },
        "missingSinceMs": wall_ms.filter(|_| of_streams.missing > 0),
        "pollers": { "seen": seen, "askedSince": asked_since },
    })
}

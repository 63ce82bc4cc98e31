//! How far a change has landed: for one flag, and for all of them.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::answer::{json as answer, refuse};
use super::flags::unknown;
use super::state::AdminState;
use super::view::CountsView;
use crate::convergence::{Percentiles, PollersSeen, Report};
use crate::http::flag_path::{FlagPath, key};

pub async fn of_flag(State(state): State<AdminState>, path: FlagPath) -> Response<Body> {
    let flag = key(&path);
    let hub = &state.public.hub;
    let report =
        hub.landed().of_flag(&state.public.live.current(), flag, hub.streams(), hub.now_ms());
    match report {
        Some(report) => answer(&state, StatusCode::OK, &report_json(&state, Some(flag), &report)),
        None => refuse(&state, &unknown(&state.coordinator.state(), flag)),
    }
}

pub async fn of_all(State(state): State<AdminState>) -> Response<Body> {
    let hub = &state.public.hub;
    let report = hub.landed().of_all(&state.public.live.current(), hub.streams(), hub.now_ms());
    answer(&state, StatusCode::OK, &report_json(&state, None, &report))
}

fn report_json(state: &AdminState, flag: Option<&str>, report: &Report) -> Json {
    let Report { position, live_at, counts: of_streams, reached } = report;
    let Percentiles { p50_ms, p90_ms, p99_ms } = reached;
    let (wall_ms, at_ms) = live_at.unzip();
    let PollersSeen { seen, asked_since } =
        state.public.hub.pollers().seen(flag, at_ms.unwrap_or_default());
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

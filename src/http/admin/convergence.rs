//! How far a change has landed: for one flag, and for all of them.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use turnout_api::admin::convergence::{self, Convergence, Pollers};

use super::answer::{json as answer, refuse};
use super::flags::unknown;
use super::state::AdminState;
use super::view::stream_counts;
use crate::convergence::{Percentiles, PollersSeen, Report};
use crate::http::flag_path::{FlagPath, key};

pub async fn of_flag(State(state): State<AdminState>, path: FlagPath) -> Response<Body> {
    let flag = key(&path);
    let hub = &state.public.hub;
    let report =
        hub.landed().of_flag(&state.public.live.current(), flag, hub.streams(), hub.now_ms());
    match report {
        Some(report) => answer(&state, StatusCode::OK, &message(&state, Some(flag), &report)),
        None => refuse(&state, &unknown(&state.coordinator.state(), flag)),
    }
}

pub async fn of_all(State(state): State<AdminState>) -> Response<Body> {
    let hub = &state.public.hub;
    let report = hub.landed().of_all(&state.public.live.current(), hub.streams(), hub.now_ms());
    answer(&state, StatusCode::OK, &message(&state, None, &report))
}

fn message(state: &AdminState, flag: Option<&str>, report: &Report) -> Convergence {
    let Report { position, live_at, counts, reached } = report;
    let Percentiles { p50_ms, p90_ms, p99_ms } = *reached;
    let (wall_ms, at_ms) = live_at.unzip();
    let PollersSeen { seen, asked_since } =
        state.public.hub.pollers().seen(flag, at_ms.unwrap_or_default());
    Convergence {
        flag: flag.map(str::to_owned),
        position: position.to_string(),
        live_at_ms: wall_ms,
        streams: stream_counts(*counts),
        reached: convergence::Percentiles { p50_ms, p90_ms, p99_ms },
        missing_since_ms: wall_ms.filter(|_| counts.missing > 0),
        pollers: Pollers { seen, asked_since },
    }
}

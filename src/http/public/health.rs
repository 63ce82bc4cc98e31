//! Probes: status and counts, and nothing that could be secret.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use turnout_api::probes::{Readiness, Ready};

use super::response::ResponseBuilder;
use crate::http::state::PublicState;

/// The process answers.
pub async fn alive(State(state): State<PublicState>) -> Response<Body> {
    let snapshot = state.live.current();
    let body = Bytes::from_static(br#"{"status":"ok"}"#);
    ResponseBuilder { state: &state, snapshot: &snapshot, flag_changed_at: None }.json(
        StatusCode::OK,
        body,
        None,
    )
}

/// The server has a state to answer from. Problems are counted and never make it unready: what was
/// good still serves.
pub async fn ready(State(state): State<PublicState>) -> Response<Body> {
    let snapshot = state.live.current();
    let (status, ready) = if snapshot.is_cold() {
        (StatusCode::SERVICE_UNAVAILABLE, Ready::ColdStart)
    } else {
        (StatusCode::OK, Ready::Ready)
    };
    let body = Readiness {
        status: ready,
        revision: snapshot.position().to_string(),
        flags: snapshot.flags().len(),
        problems: state.problems.count(),
    };
    let answer = ResponseBuilder { state: &state, snapshot: &snapshot, flag_changed_at: None };
    answer.json(status, serde_json::to_vec(&body).unwrap_or_default(), None)
}

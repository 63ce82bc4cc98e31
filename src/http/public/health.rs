//! Probes: status and counts, and nothing that could be secret.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::json;

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
    let (status, word) = if snapshot.is_cold() {
        (StatusCode::SERVICE_UNAVAILABLE, "cold-start")
    } else {
        (StatusCode::OK, "ready")
    };
    let body = json!({
        "status": word,
        "revision": snapshot.position().to_string(),
        "flags": snapshot.flags().len(),
        "problems": state.problems.count(),
    });
    let answer = ResponseBuilder { state: &state, snapshot: &snapshot, flag_changed_at: None };
    answer.json(status, body.to_string(), None)
}

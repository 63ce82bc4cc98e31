//! Answers that only their caller may hold: no cache keeps them.

use axum::body::Body;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::http::public::ResponseBuilder;
use crate::http::state::PublicState;

pub fn unkept(state: &PublicState, status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let answer = ResponseBuilder { state, snapshot: &state.live.current(), flag_changed_at: None };
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = answer.json(status, body, None);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

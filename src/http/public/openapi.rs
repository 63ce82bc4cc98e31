//! `GET /openapi.json`: the OpenAPI document.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};

use super::response::{ResponseBuilder, if_none_match};
use crate::http::state::PublicState;

pub async fn public(State(state): State<PublicState>, headers: HeaderMap) -> Response<Body> {
    let (body, tag) = (state.contract.body().clone(), state.contract.tag());
    let snapshot = state.live.current();
    let answer = ResponseBuilder { state: &state, snapshot: &snapshot, flag_changed_at: None };
    answer.json(StatusCode::OK, body, Some((tag, if_none_match(&headers, tag))))
}

//! `GET /.well-known/jwks.json`: the public halves of the keys that our own tokens are signed with.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::document::etag;
use crate::http::public::{ResponseBuilder, if_none_match};
use crate::http::state::PublicState;

pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// A key is published for twice as long before it signs.
const FOR_TEN_MINUTES: HeaderValue = HeaderValue::from_static("public, max-age=600");

pub async fn jwks(State(state): State<PublicState>, headers: HeaderMap) -> Response<Body> {
    let issuer = state.authenticator.issuer.as_ref();
    let keys = issuer.map(|issuer| issuer.to_jwks(state.clock.wall_ms())).unwrap_or_default();
    let body = serde_json::to_vec(&keys).unwrap_or_default();
    let tag = etag([&*body]);
    let snapshot = state.live.current();
    let answer = ResponseBuilder { state: &state, snapshot: &snapshot, flag_changed_at: None };
    let is_held = if_none_match(&headers, &tag);
    let mut response = answer.json(StatusCode::OK, body, Some((&tag, is_held)));
    response.headers_mut().insert(CACHE_CONTROL, FOR_TEN_MINUTES);
    response
}

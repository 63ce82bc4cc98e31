//! `GET /openapi.json`: the OpenAPI document, made once from the table of calls.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::response::{ResponseBuilder, if_none_match};
use super::{contract, endpoints};
use crate::document::etag;
use crate::http::openapi;
use crate::http::state::PublicState;
use crate::public_path::PublicPath;

/// The public listener's document, as it is served at the root.
pub fn public_document() -> Json {
    document_at(&PublicPath::default())
}

/// The same document where a proxy serves the listener below a path.
fn document_at(public_path: &PublicPath) -> Json {
    let mut document = openapi::document(contract::TITLE, contract::SAYS, &endpoints(), json!({}));
    document["servers"][0]["url"] = public_path.to_string().into();
    document
}

pub async fn public(State(state): State<PublicState>, headers: HeaderMap) -> Response<Body> {
    let (body, tag) = state.contract.get_or_init(|| {
        let body = Bytes::from(document_at(&state.public_path).to_string());
        let tag = etag([&*body]);
        (body, tag)
    });
    let snapshot = state.live.current();
    let answer = ResponseBuilder { state: &state, snapshot: &snapshot, flag_changed_at: None };
    answer.json(StatusCode::OK, body.clone(), Some((tag, if_none_match(&headers, tag))))
}

//! `GET /openapi.json`: the contract, made once from the table of calls.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::answer::{Answer, holds};
use super::contract::{self, public};
use super::{Surface, endpoints};
use crate::document::etag;

/// The public listener's document.
pub fn public_document() -> Json {
    contract::document(public::TITLE, public::SAYS, &endpoints(), json!({}))
}

/// Its bytes and their tag.
static PUBLIC: LazyLock<(Bytes, Bytes)> = LazyLock::new(|| {
    let body = Bytes::from(public_document().to_string());
    let tag = etag([&*body]);
    (body, tag)
});

pub async fn public(State(surface): State<Surface>, headers: HeaderMap) -> Response<Body> {
    let (body, tag) = &*PUBLIC;
    let snapshot = surface.live.current();
    let answer = Answer { surface: &surface, snapshot: &snapshot, flag_changed_at: None };
    answer.json(StatusCode::OK, body.clone(), Some((tag, holds(&headers, tag))))
}

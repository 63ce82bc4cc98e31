//! How the admin listener's answers look.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::{Value as Json, json};

use super::AdminSurface;
use super::rejected::since;
use crate::http::answer::REVISION;
use crate::http::error::{Refusal, ends_the_connection};

pub fn json(surface: &AdminSurface, status: StatusCode, body: &Json) -> Response<Body> {
    respond(surface, status, "application/json", body.to_string())
}

pub fn refuse(surface: &AdminSurface, refusal: &Refusal) -> Response<Body> {
    let (status, code) = refusal.row();
    let mut body = json!({
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "code": code,
        "detail": refusal.to_string(),
    });
    if let Some(more) = since(refusal) {
        body["since"] = more.clone();
    }
    let mut response = respond(surface, status, "application/problem+json", body.to_string());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if ends_the_connection(status) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

pub fn respond(surface: &AdminSurface, status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(position) = HeaderValue::from_maybe_shared(surface.public.live.current().position_text().clone()) {
        headers.insert(REVISION, position);
    }
    response
}

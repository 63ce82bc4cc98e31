//! How the admin listener's responses look.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde::Serialize;
use turnout_api::admin::commands::{Conflict, Widening};
use turnout_api::problem::CursorProblem;

use super::errors::{since, would};
use super::pieces::in_pieces;
use super::state::AdminState;
use crate::http::error::{ApiError, ends_the_connection};
use crate::http::headers::REVISION;

/// Serialises the body once. The body is data of our own, so serialising cannot fail.
pub fn json(state: &AdminState, status: StatusCode, body: &impl Serialize) -> Response<Body> {
    respond(state, status, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

pub fn refuse(state: &AdminState, refusal: &ApiError) -> Response<Body> {
    let status = refusal.status_and_code().0;
    let problem = refusal.problem_details();
    let body = match (since(refusal), would(refusal), refusal.cursor()) {
        (Some(since), _, _) => serde_json::to_vec(&Conflict { problem, since: since.to_vec() }),
        (_, Some((widens, would)), _) => {
            serde_json::to_vec(&Widening { problem, widens: Some(*widens), would: would.clone() })
        }
        (_, _, Some(cursor)) => {
            serde_json::to_vec(&CursorProblem { problem, cursor: cursor.to_owned() })
        }
        (None, None, None) => serde_json::to_vec(&problem),
    };
    let mut response = respond(state, status, "application/problem+json", body.unwrap_or_default());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = refusal.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if ends_the_connection(status) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

pub fn respond(
    state: &AdminState,
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(in_pieces(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(position) =
        HeaderValue::from_maybe_shared(state.public.live.current().position_text().clone())
    {
        headers.insert(REVISION, position);
    }
    response
}

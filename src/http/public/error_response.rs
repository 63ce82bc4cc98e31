//! Errors as responses of the public listener: problem details, or OFREP's failures.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode, Uri};
use serde::Serialize;
use turnout_api::ofrep::RequestFailure;
use turnout_api::problem::CursorProblem;

use super::response::ResponseBuilder;
use crate::http::error::{ApiError, ends_the_connection};
use crate::http::other_listener::is_of_operators;
use crate::http::state::PublicState;

impl ApiError {
    /// The error as problem details.
    pub fn problem(&self, state: &PublicState) -> Response<Body> {
        let status = self.status_and_code().0;
        let problem = self.problem_details();
        let media_type = "application/problem+json";
        self.with_retry(match self.cursor() {
            None => respond(state, status, media_type, &problem),
            Some(cursor) => {
                let cursor = cursor.to_owned();
                respond(state, status, media_type, &CursorProblem { problem, cursor })
            }
        })
    }

    /// The error as an OFREP failure: of one flag where `key` is given, else of the whole request.
    pub fn ofrep(&self, state: &PublicState, key: Option<&str>) -> Response<Body> {
        let body = RequestFailure {
            error_code: self.ofrep_code(),
            error_details: self.to_string(),
            key: key.map(str::to_owned),
        };
        self.with_retry(respond(state, self.status_and_code().0, "application/json", &body))
    }

    /// Adds when to come back, in whole seconds, which every client reads.
    fn with_retry(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(seconds) = self.retry_after_seconds() {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// An error's body has no tag; its other headers are those of any response.
fn respond(
    state: &PublicState,
    status: StatusCode,
    content_type: &'static str,
    body: &impl Serialize,
) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if ends_the_connection(status) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    ResponseBuilder { state, snapshot: &state.live.current(), flag_changed_at: None }
        .describe(headers);
    response
}

pub async fn no_such_route(State(state): State<PublicState>, uri: Uri) -> Response<Body> {
    let refusal =
        if is_of_operators(&uri) { ApiError::OfOperators } else { ApiError::of_no_route(&uri) };
    for_route(&refusal, &state, &uri)
}

pub async fn no_such_method(State(state): State<PublicState>, uri: Uri) -> Response<Body> {
    for_route(&ApiError::NoSuchMethod, &state, &uri)
}

/// A refusal in the shape of its route.
pub fn for_route(refusal: &ApiError, state: &PublicState, uri: &Uri) -> Response<Body> {
    if uri.path().starts_with("/ofrep/") {
        refusal.ofrep(state, None)
    } else {
        refusal.problem(state)
    }
}

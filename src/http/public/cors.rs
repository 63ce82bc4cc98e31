//! Lets pages of listed origins ask and read the responses (CORS, the Fetch standard §3.2).
//!
//! Without configured origins only preflights are looked at; with them, a request that names no
//! origin costs one header look-up. An unlisted origin gets no header, so its browser keeps the
//! response from the page. Its preflight is refused, and is a problem that names it.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::error_response::for_route;
use crate::http::error::ApiError;
use crate::http::server::ResponseFuture;
use crate::http::state::PublicState;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// What a script may always send; `last-event-id` because readers of streams add that header by
/// themselves when they reconnect.
const HEADERS: &str = "content-type, if-none-match, authorization, x-api-key, last-event-id";
/// The most header names that a preflight gets allowed besides those: what a page's tracing or its
/// service worker adds to each request.
const MAX_ASKED_HEADERS: usize = 64;
/// The most bytes these names may have together.
const MAX_ASKED_BYTES: usize = 2 * 1024;
/// Headers a script may read besides the few it always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Retry-After, RateLimit, RateLimit-Policy, Turnout-Revision, Turnout-Flag-Revision, \
     Turnout-Stale, Turnout-Time, Turnout-Error-Attribute",
);
/// How long a browser may remember a preflight: two hours, the most that browsers accept.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may ask.
#[derive(Debug)]
pub struct Origins(Vec<Box<str>>);

impl Origins {
    pub fn new<O: AsRef<str>>(listed: &[O]) -> Origins {
        Origins(listed.iter().map(|origin| origin.as_ref().into()).collect())
    }

    /// Whether no page of another origin may ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Passes a request on and adds the CORS headers to its response.
    pub fn pass(
        &self,
        request: Request,
        state: &PublicState,
        answer: impl FnOnce(Request) -> ResponseFuture,
    ) -> ResponseFuture {
        let asks_before = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && request.headers().contains_key(ORIGIN);
        if self.is_empty() && !asks_before {
            return answer(request);
        }
        let origin = request.headers().get(ORIGIN);
        let listed = origin
            .filter(|origin| self.0.iter().any(|listed| listed.as_bytes() == origin.as_bytes()))
            .cloned();
        if asks_before {
            let answer = match &listed {
                Some(_) => allowed(request.headers()),
                None => {
                    if let Some(origin) = origin {
                        let now_ms = state.clock.now().steady_ms;
                        state.client_mistakes.unlisted_origin(origin.as_bytes(), now_ms);
                    }
                    for_route(&ApiError::UnlistedOrigin, state, request.uri())
                }
            };
            return Box::pin(std::future::ready(opened(answer, listed)));
        }
        let answer = answer(request);
        Box::pin(async move { opened(answer.await, listed) })
    }
}

/// The response to a preflight: whatever headers a listed origin asks for are allowed, as no
/// response depends on a header that is not ours.
fn allowed(asked: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(asked));
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    headers.append(VARY, HeaderValue::from_static("access-control-request-headers"));
    response
}

/// The headers a script may send: ours, and those it asks for, as far as they are valid header
/// names and within the bounds.
fn allowed_headers(asked: &HeaderMap) -> HeaderValue {
    let names = asked
        .get_all(ACCESS_CONTROL_REQUEST_HEADERS)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let names = names.flat_map(|value| value.split(',')).map(str::trim);
    let names = names
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .take(MAX_ASKED_HEADERS);
    let mut allowed = HEADERS.to_owned();
    for name in names {
        if allowed.split(", ").any(|one| one == name.as_str()) {
            continue;
        }
        if allowed.len() + name.as_str().len() > HEADERS.len() + MAX_ASKED_BYTES {
            break;
        }
        allowed.push_str(", ");
        allowed.push_str(name.as_str());
    }
    // Header names are plain ASCII.
    HeaderValue::try_from(allowed).unwrap_or_else(|_| HeaderValue::from_static(HEADERS))
}

/// Adds who may read a response, and that the response depends on the origin, so that no cache
/// passes it to another one.
fn opened(mut response: Response<Body>, listed: Option<HeaderValue>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = listed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

//! Lets pages of listed origins ask and read the answers (CORS, the Fetch standard §3.2).
//!
//! Without origins nothing stands in a request's way; with them, a request that names no origin pays one look at its headers. An
//! unlisted origin gets no header, so its browser keeps the answer from it, and its preflight is refused.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, Response, StatusCode};

use super::Surface;
use super::error::{Refusal, in_the_shape_of};
use super::server::Answering;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// What a script may send; `last-event-id` because readers of streams add it by themselves when they come back.
const HEADERS: HeaderValue = HeaderValue::from_static("content-type, if-none-match, authorization, x-api-key, last-event-id");
/// What a script may read beside the few headers it always may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Retry-After, Turnout-Revision, Turnout-Flag-Revision, Turnout-Stale");
/// How long a browser may remember a preflight: two hours, the most that browsers take.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may ask.
#[derive(Debug)]
pub struct Origins(Vec<Box<str>>);

impl Origins {
    pub fn new<O: AsRef<str>>(listed: &[O]) -> Origins {
        Origins(listed.iter().map(|origin| origin.as_ref().into()).collect())
    }

    /// A request and its answer, as they pass.
    pub fn pass(&self, request: Request, surface: &Surface, answer: impl FnOnce(Request) -> Answering) -> Answering {
        if self.0.is_empty() {
            return answer(request);
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let listed = origin.filter(|origin| self.0.iter().any(|listed| listed.as_bytes() == origin.as_bytes()));
        let asks_before = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if asks_before {
            let answer = match &listed {
                Some(_) => allowed(),
                None => in_the_shape_of(&Refusal::UnlistedOrigin, surface, request.uri()),
            };
            return Box::pin(std::future::ready(opened(answer, listed)));
        }
        let answer = answer(request);
        Box::pin(async move { opened(answer.await, listed) })
    }
}

/// The answer to a preflight.
fn allowed() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    response
}

/// Says who may read an answer, and that this depends on who asked, so that no cache hands it to another.
fn opened(mut response: Response<Body>, listed: Option<HeaderValue>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = listed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

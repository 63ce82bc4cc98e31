//! Lets pages of listed origins ask and read the answers (CORS, the Fetch standard §3.2).
//!
//! Without origins nothing stands in a request's way; with them, a request that names no origin pays one look at its headers. An
//! unlisted origin gets no header, so its browser keeps the answer from it, and its preflight is refused.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::routing::Route;
use tower_layer::layer_fn;
use tower_service::Service;

use super::Surface;
use super::error::{Refusal, in_the_shape_of};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// What a script may send; `last-event-id` because readers of streams add it by themselves when they come back.
const HEADERS: HeaderValue = HeaderValue::from_static("content-type, if-none-match, authorization, x-api-key, last-event-id");
/// What a script may read beside the few headers it always may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Retry-After, Turnout-Revision, Turnout-Flag-Revision, Turnout-Stale");
/// How long a browser may remember a preflight: two hours, the most that browsers take.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("7200");

/// Opens routes to pages of these origins.
pub fn for_pages_of<O: AsRef<str>>(origins: &[O], routes: Router, surface: Surface) -> Router {
    if origins.is_empty() {
        return routes;
    }
    let origins = origins.iter().map(|origin| origin.as_ref().as_bytes().into()).collect();
    let open = Arc::new(Open { origins, surface });
    routes.layer(layer_fn(move |inner: Route| Cors { inner, open: open.clone() }))
}

/// For whom the routes are open; shared, as routes are cloned with every request.
struct Open {
    origins: Vec<Box<[u8]>>,
    surface: Surface,
}

#[derive(Clone)]
struct Cors {
    inner: Route,
    open: Arc<Open>,
}

impl Service<Request> for Cors {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let origin = request.headers().get(ORIGIN).cloned();
        let listed = origin.filter(|origin| self.open.origins.iter().any(|listed| **listed == *origin.as_bytes()));
        let asks_before = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if asks_before {
            let answer = match &listed {
                Some(_) => allowed(),
                None => in_the_shape_of(&Refusal::UnlistedOrigin, &self.open.surface, request.uri()),
            };
            return Box::pin(std::future::ready(Ok(opened(answer, listed))));
        }
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(opened(answer.await?, listed)) })
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

//! The entry to the public listener: a plain question for one flag goes straight to its handler,
//! everything else goes through the router.
//!
//! Nearly all requests are that one question, and a router that can do anything costs a fifth of a
//! response (decision 0022). A request whose method or path is not plain is left to the router, so
//! that only one place defines what it means.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Response, Uri};

use super::cors::Origins;
use super::error_response::for_route;
use super::strategy::{ONE_PATH, evaluate_own, evaluate_posted};
use crate::http::error::ApiError;
use crate::http::proxies::Peer;
use crate::http::requests::RequestCounts;
use crate::http::server::{ResponseFuture, Routes, by_router};
use crate::http::state::PublicState;
use crate::public_path::PublicPath;

/// What answers the public listener's requests.
#[derive(Debug)]
pub struct PublicService {
    state: PublicState,
    router: Router,
    origins: Origins,
}

impl PublicService {
    /// A service that answers as `router` does, and lets pages of these origins ask.
    pub(super) fn of(router: Router, state: PublicState, origins: Origins) -> PublicService {
        PublicService { state, router, origins }
    }

    fn answer_anyone(&self, mut request: Request, peer: IpAddr) -> ResponseFuture {
        let asks = matches!(*request.method(), Method::POST | Method::GET);
        let key = if asks { plain_key(request.uri().path()) } else { None };
        let Some(key) = key.map(str::len) else {
            request.extensions_mut().insert(Peer(peer));
            return by_router(&self.router, request);
        };
        let state = self.state.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let path = head.uri.path();
            let key = path.get(path.len() - key..).unwrap_or_default();
            match head.method {
                Method::POST => evaluate_posted(&state, key, &head.headers, body).await,
                _ => evaluate_own(&state, key, &head.headers),
            }
        })
    }
}

impl Routes for PublicService {
    fn counts(&self) -> &RequestCounts {
        &self.state.requests
    }

    fn path<'u>(&self, uri: &'u Uri) -> &'u str {
        let public_path = &self.state.public_path;
        let behind = if public_path.is_root() { None } else { without_prefix(public_path, uri) };
        behind.unwrap_or_else(|| uri.path())
    }

    fn answer(&self, mut request: Request, peer: IpAddr) -> ResponseFuture {
        if !self.state.public_path.is_root() {
            take_away(&self.state.public_path, request.uri_mut());
        }
        self.origins.pass(request, &self.state, |request| self.answer_anyone(request, peer))
    }

    fn refuse_host(&self, uri: &Uri) -> Response<Body> {
        for_route(&ApiError::BadHost, &self.state, uri)
    }
}

/// Removes the public path where a proxy should have removed it and did not, as not all proxies
/// can. What follows it must be an address of ours: a public path of `/v1` leaves `/v1/strategy` as
/// it is.
fn take_away(public_path: &PublicPath, uri: &mut Uri) {
    let Some(path) = without_prefix(public_path, uri) else { return };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(behind) = format!("{path}{query}").parse() {
        *uri = behind;
    }
}

/// Our address behind the public path, if there is one.
fn without_prefix<'u>(public_path: &PublicPath, uri: &'u Uri) -> Option<&'u str> {
    let is_ours = |path: &str| {
        ["/v1/", "/ofrep/"].iter().any(|folder| path.starts_with(folder))
            || ["/healthz", "/readyz", "/openapi.json"].contains(&path)
    };
    public_path.strip(uri.path()).filter(|path| is_ours(path))
}

/// The flag a path asks for, if its key stands there unencoded, with nothing after it.
fn plain_key(path: &str) -> Option<&str> {
    let key = path.strip_prefix(ONE_PATH.strip_suffix("{flag}")?)?;
    let plain = !key.is_empty() && !key.bytes().any(|byte| matches!(byte, b'/' | b'%'));
    plain.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unencoded_key_takes_the_fast_path() {
        for (path, key) in [
            ("/v1/strategy/build-events", Some("build-events")),
            ("/v1/strategy/No_Such.Flag", Some("No_Such.Flag")),
            ("/v1/strategy", None),
            ("/v1/strategy/", None),
            ("/v1/strategy/build-events/", None),
            ("/v1/strategy/build-events/watch", None),
            ("/v1/strategy//build-events", None),
            ("/v1/strategy/build%2Devents", None),
            ("/v1/strategy/..%2fbuild-events", None),
            ("/V1/strategy/build-events", None),
            ("/ofrep/v1/evaluate/flags/build-events", None),
        ] {
            assert_eq!(plain_key(path), key, "{path}");
        }
    }
}

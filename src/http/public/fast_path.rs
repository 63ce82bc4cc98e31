//! The entry to the public listener: a plain question for one flag goes straight to its handler,
//! everything else goes through the router.
//!
//! Nearly all requests are that one question, and a router that can do anything costs a fifth of a
//! response (decision 0022). A request whose method or path is not plain is left to the router, so
//! that only one place defines what it means.

use std::net::IpAddr;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Method, Response, Uri};

use super::cors::Origins;
use super::error_response::for_route;
use super::{ofrep, strategy};
use crate::http::error::ApiError;
use crate::http::feeds::{PollRequest, STREAMS_PATH, evaluate_poll};
use crate::http::issuer::JWKS_PATH;
use crate::http::proxies::Peer;
use crate::http::requests::RequestCounts;
use crate::http::server::{ResponseFuture, Routes, by_router};
use crate::http::state::PublicState;
use crate::public_path::PublicPath;

/// The questions that go straight to their handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// `POST /v1/strategy/{flag}`.
    Posted,
    /// `GET /v1/strategy/{flag}`.
    Own,
    /// `POST /ofrep/v1/evaluate/flags/{key}`.
    Ofrep,
}

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
        let Some((question, key)) = plain_question(request.method(), request.uri().path()) else {
            if *request.method() == Method::GET
                && let Some((flag, stream)) = plain_stream(request.uri().path())
            {
                let lengths = (flag.len(), stream.len());
                return self.poll(request, lengths);
            }
            request.extensions_mut().insert(Peer(peer));
            return by_router(&self.router, request);
        };
        let (state, key) = (self.state.clone(), key.len());
        // Recorded answers have the length before the headers of CORS, as the router states it.
        // Without CORS it comes last, which hyper sees to.
        let states_length = !self.origins.is_empty();
        Box::pin(async move {
            // The head stays where it is: moving it would cost as much as a look-up in it.
            let body = std::mem::take(request.body_mut());
            let (path, headers) = (request.uri().path(), request.headers());
            let key = path.get(path.len() - key..).unwrap_or_default();
            match question {
                Question::Posted => strategy::evaluate_posted(&state, key, headers, body).await,
                Question::Own => strategy::evaluate_own(&state, key, headers),
                Question::Ofrep => {
                    let answer = ofrep::evaluate_posted(&state, key, headers, body).await;
                    if states_length { with_length(answer) } else { answer }
                }
            }
        })
    }

    /// Polls a stream. The path ends with these lengths of the flag and the stream.
    fn poll(&self, request: Request, (flag, stream): (usize, usize)) -> ResponseFuture {
        let state = self.state.clone();
        Box::pin(async move {
            let request = PollRequest::of(request);
            let path = request.head.uri.path();
            let (rest, stream) = path.split_at_checked(path.len() - stream).unwrap_or_default();
            let flag = rest.get(rest.len() - 1 - flag..rest.len() - 1).unwrap_or_default();
            evaluate_poll(&state, flag, stream, &request).await
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

/// The response with the length of its body among its headers.
fn with_length(mut response: Response<Body>) -> Response<Body> {
    if let Some(bytes) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
    }
    response
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
            || ["/healthz", "/readyz", "/openapi.json", JWKS_PATH].contains(&path)
    };
    public_path.strip(uri.path()).filter(|path| is_ours(path))
}

/// The question a request asks and the flag it asks for, if the key stands in the path unencoded,
/// with nothing after it.
fn plain_question<'p>(method: &Method, path: &'p str) -> Option<(Question, &'p str)> {
    let asked = path.strip_prefix(strategy::ONE_PATH.strip_suffix("{flag}")?);
    let (question, key) = match (asked, method) {
        (Some(key), &Method::POST) => (Question::Posted, key),
        (Some(key), &Method::GET) => (Question::Own, key),
        (None, &Method::POST) => {
            (Question::Ofrep, path.strip_prefix(ofrep::ONE_PATH.strip_suffix("{key}")?)?)
        }
        _ => return None,
    };
    let plain = !key.is_empty() && !key.bytes().any(|byte| matches!(byte, b'/' | b'%'));
    plain.then_some((question, key))
}

/// The flag and the stream that a path polls, if they stand there unencoded, with nothing after
/// them.
fn plain_stream(path: &str) -> Option<(&str, &str)> {
    let names = path.strip_prefix(STREAMS_PATH.strip_suffix("{flag}")?)?;
    let slash = names.bytes().position(|byte| byte == b'/')?;
    let (flag, stream) = (&names[..slash], &names[slash + 1..]);
    let plain = !flag.is_empty() && !stream.is_empty() && !flag.bytes().any(|byte| byte == b'%');
    let plain = plain && !stream.bytes().any(|byte| matches!(byte, b'/' | b'%'));
    plain.then_some((flag, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unencoded_key_takes_the_fast_path() {
        use Question::{Ofrep, Own, Posted};
        for (method, path, question) in [
            ("POST", "/v1/strategy/build-events", Some((Posted, "build-events"))),
            ("GET", "/v1/strategy/build-events", Some((Own, "build-events"))),
            ("HEAD", "/v1/strategy/build-events", None),
            ("PUT", "/v1/strategy/build-events", None),
            ("POST", "/v1/strategy/No_Such.Flag", Some((Posted, "No_Such.Flag"))),
            ("POST", "/v1/strategy", None),
            ("POST", "/v1/strategy/", None),
            ("POST", "/v1/strategy/build-events/", None),
            ("POST", "/v1/strategy/build-events/watch", None),
            ("POST", "/v1/strategy//build-events", None),
            ("POST", "/v1/strategy/build%2Devents", None),
            ("POST", "/v1/strategy/..%2fbuild-events", None),
            ("POST", "/V1/strategy/build-events", None),
            ("POST", "/ofrep/v1/evaluate/flags/build-events", Some((Ofrep, "build-events"))),
            ("GET", "/ofrep/v1/evaluate/flags/build-events", None),
            ("POST", "/ofrep/v1/evaluate/flags", None),
            ("POST", "/ofrep/v1/evaluate/flags/", None),
            ("POST", "/ofrep/v1/evaluate/flags/build%2Devents", None),
            ("POST", "/ofrep/v1/evaluate/flags/build-events/", None),
        ] {
            let method = method.parse().unwrap();
            assert_eq!(plain_question(&method, path), question, "{method} {path}");
        }
    }
}

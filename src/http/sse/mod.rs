//! Streams: a client that watches is sent its current state at once, and again whenever its state
//! changes.
//!
//! Events are states and never deltas, so a newer event replaces an older one that was not written
//! yet, and nothing has to be kept per client for replay. A response that becomes a stream takes
//! over its connection (`server/hijack.rs`).
//!
//! | file | what it decides |
//! |---|---|
//! | `hub` | which streams are woken, and when |
//! | `wake_batch` | how many are woken before other requests have a turn |
//! | `subscriber` | what a client is to be sent for a snapshot |
//! | `session` | the life of one stream |
//! | `writer` | how its bytes are written, and when a reader has been stuck for too long |
//! | `event` | the text of an event |
//! | `ack` | what an acknowledgement is |

mod ack;
mod event;
mod hub;
mod limits;
mod session;
mod subscriber;
mod wake_batch;
mod writer;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response};
use bytes::Bytes;

pub use ack::acknowledge;
pub use event::CloseReason;
pub use hub::Hub;
pub use limits::StreamLimits;

use super::PublicState;
use super::auth::{self, Caller};
use super::error::ApiError;
use super::fast_path::Peer;
use super::kept_context::KeptContext;
use super::request::{EvaluationRequest, FlagPath, key};
use super::response::ResponseBuilder;
use super::server::Hijack;
use crate::convergence::Subscription;
use crate::document::Form;
use crate::flag::{ContextNeeds, FlagKey};
use crate::snapshot::Snapshot;
use session::StreamSession;
use subscriber::Subscriber;

/// Where OFREP's clients hear that something changed.
pub const CHANGES_PATH: &str = "/ofrep/v1/events";

/// Asks proxies that buffer a response before they pass it on not to do so (nginx's own header).
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `POST /v1/strategy/{flag}/watch`.
pub async fn one(
    State(surface): State<PublicState>,
    path: FlagPath,
    request: Request,
) -> Response<Body> {
    let opened = async {
        let flag = flag(&surface, key(&path))?;
        let (head, request_body) = request.into_parts();
        let (asker, bytes) = auth::asker_of_whole(&surface, &head.headers, request_body).await?;
        open_one(&surface, &head, flag, EvaluationRequest::native(&bytes)?, &asker)
    };
    opened.await.unwrap_or_else(|refusal| refusal.problem(&surface))
}

/// `GET /v1/strategy/{flag}/watch`, for the user of a session token.
pub async fn watch_own(
    State(surface): State<PublicState>,
    path: FlagPath,
    request: Request,
) -> Response<Body> {
    let (head, _) = request.into_parts();
    let opened = auth::user(&surface, &head.headers).and_then(|asker| {
        open_one(&surface, &head, flag(&surface, key(&path))?, EvaluationRequest::empty(), &asker)
    });
    of_the_caller(opened.unwrap_or_else(|refusal| refusal.problem(&surface)))
}

/// `POST /v1/watch`.
pub async fn all(State(surface): State<PublicState>, request: Request) -> Response<Body> {
    let opened = async {
        let (head, request_body) = request.into_parts();
        let (asker, bytes) = auth::asker_of_whole(&surface, &head.headers, request_body).await?;
        let listener = keep(&surface, EvaluationRequest::native(&bytes)?, &asker, |snapshot| {
            snapshot.context_needs().clone()
        })?;
        drop(bytes);
        open_all(&surface, &head, listener).await
    };
    opened.await.unwrap_or_else(|refusal| refusal.problem(&surface))
}

/// `GET /v1/watch`, for the user of a session token.
pub async fn all_mine(State(surface): State<PublicState>, request: Request) -> Response<Body> {
    let opened = async {
        let (head, _) = request.into_parts();
        let asker = auth::user(&surface, &head.headers)?;
        let listener = keep(&surface, EvaluationRequest::empty(), &asker, |snapshot| {
            snapshot.context_needs().clone()
        })?;
        open_all(&surface, &head, listener).await
    };
    of_the_caller(opened.await.unwrap_or_else(|refusal| refusal.problem(&surface)))
}

/// `GET /ofrep/v1/events`: that something changed, for any caller. The events name no users and no
/// values, as a browser's `EventSource` cannot send a credential.
pub async fn changes(State(surface): State<PublicState>, request: Request) -> Response<Body> {
    let (head, _) = request.into_parts();
    let view = Subscriber::of_changes(&surface.live.current());
    let opened = take_over(&surface, &head, Subscription::Changes, &Caller::Plain, view);
    opened.unwrap_or_else(|refusal| refusal.ofrep(&surface, None))
}

/// A flag that is known, or that may turn out to be once a snapshot exists.
fn flag(surface: &PublicState, key: &str) -> Result<FlagKey, ApiError> {
    let snapshot = surface.live.current();
    match snapshot.flag(key) {
        Some(entry) => Ok(entry.key().clone()),
        None if snapshot.is_cold() => key.parse().map_err(|_| ApiError::UnknownFlag),
        None => Err(ApiError::UnknownFlag),
    }
}

/// Builds the context to keep for a stream. No more is kept than flags need, as far as that is
/// known. A mistake in the request is answered now, not on the stream.
fn keep(
    surface: &PublicState,
    question: EvaluationRequest<'_>,
    asker: &Caller,
    asked: impl FnOnce(&Snapshot) -> Arc<ContextNeeds>,
) -> Result<KeptContext, ApiError> {
    question.context(asker)?;
    let snapshot = surface.live.current();
    Ok(match snapshot.is_cold() {
        true => KeptContext::whole(question, asker),
        false => KeptContext::of(question, asker, &asked(&snapshot)),
    })
}

fn open_one(
    surface: &PublicState,
    head: &Parts,
    flag: FlagKey,
    question: EvaluationRequest<'_>,
    asker: &Caller,
) -> Result<Response<Body>, ApiError> {
    let asked = |snapshot: &Snapshot| {
        let of = snapshot.flag(flag.as_str()).and_then(|entry| entry.flag());
        Arc::new(of.map(ContextNeeds::by).unwrap_or_default())
    };
    let kept = keep(surface, question, asker, asked)?;
    take_over(
        surface,
        head,
        Subscription::Flag(flag.clone()),
        asker,
        Subscriber::of_flag(flag, kept),
    )
}

async fn open_all(
    surface: &PublicState,
    head: &Parts,
    kept: KeptContext,
) -> Result<Response<Body>, ApiError> {
    // Checks for room first, so that nothing is evaluated for a caller that finds none.
    surface.hub.check(&surface.hub.opener(kept.asker(), address(surface, head), kept.bytes()))?;
    let snapshot = surface.live.current().clone();
    let (snapshot, every) =
        surface.decide_for(snapshot, &kept, Form::Strategy, Bytes::new()).await?;
    let asker = kept.asker().clone();
    take_over(surface, head, Subscription::All, &asker, Subscriber::of_all(kept, every, &snapshot))
}

fn take_over(
    surface: &PublicState,
    head: &Parts,
    follows: Subscription,
    asker: &Caller,
    view: Subscriber,
) -> Result<Response<Body>, ApiError> {
    let stream = surface
        .hub
        .open(follows, surface.hub.opener(asker, address(surface, head), view.bytes()))?;
    let hub = surface.hub.clone();
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that compresses holds an event back until its window is full, unless it is asked to
    // leave the response as it is (RFC 9111 §5.2.2.6).
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    ResponseBuilder { surface, snapshot: &surface.live.current(), flag_changed_at: None }
        .describe(headers);
    let run = move |taken| -> super::server::Run {
        Box::pin(StreamSession::new(taken, stream, view, hub).run())
    };
    response.extensions_mut().insert(Hijack::new(run));
    Ok(response)
}

/// The client address that bounds are applied to.
fn address(surface: &PublicState, head: &Parts) -> Option<IpAddr> {
    let Peer(peer) = head.extensions.get::<Peer>()?;
    surface.proxies.client(*peer, &head.headers)
}

/// Marks the response as depending on the caller.
fn of_the_caller(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().append(VARY, HeaderValue::from_static("authorization, x-api-key"));
    response
}

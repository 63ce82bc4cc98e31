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
//! | `flag_news` | what waits for a change of a flag |
//! | `ack` | what an acknowledgement is |

mod ack;
mod event;
mod flag_news;
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
use axum::http::{HeaderName, HeaderValue, Method, Response};
use bytes::Bytes;

pub use ack::acknowledge;
pub use event::CloseReason;
pub use hub::Hub;
pub use limits::StreamLimits;

use super::error::ApiError;
use super::flag_path::{FlagPath, key};
use super::proxies::Peer;
use super::public::{
    Caller, EvaluationRequest, KeptContext, ResponseBuilder, caller_with_body, own_user,
};
use super::realtime::FeedFollower;
use super::server::Hijack;
use super::state::PublicState;
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
    State(state): State<PublicState>,
    path: FlagPath,
    request: Request,
) -> Response<Body> {
    let opened = async {
        let flag = flag(&state, key(&path))?;
        let (head, request_body) = request.into_parts();
        let (caller, bytes) =
            caller_with_body(&state, &head.headers, Some(flag.as_str()), request_body).await?;
        open_one(&state, &head, flag, EvaluationRequest::native(&bytes)?, &caller)
    };
    opened.await.unwrap_or_else(|refusal| refusal.problem(&state))
}

/// `GET /v1/strategy/{flag}/watch`, for the user of a session token.
pub async fn watch_own(
    State(state): State<PublicState>,
    path: FlagPath,
    request: Request,
) -> Response<Body> {
    let (head, _) = request.into_parts();
    let opened = own_user(&state, &head.headers).and_then(|caller| {
        open_one(&state, &head, flag(&state, key(&path))?, EvaluationRequest::empty(), &caller)
    });
    of_the_caller(opened.unwrap_or_else(|refusal| refusal.problem(&state)))
}

/// `POST /v1/watch`.
pub async fn all(State(state): State<PublicState>, request: Request) -> Response<Body> {
    let opened = async {
        let (head, request_body) = request.into_parts();
        let (caller, bytes) = caller_with_body(&state, &head.headers, None, request_body).await?;
        let listener = keep(&state, EvaluationRequest::native(&bytes)?, &caller, |snapshot| {
            snapshot.context_needs().clone()
        })?;
        drop(bytes);
        open_all(&state, &head, listener).await
    };
    opened.await.unwrap_or_else(|refusal| refusal.problem(&state))
}

/// `GET /v1/watch`, for the user of a session token.
pub async fn all_mine(State(state): State<PublicState>, request: Request) -> Response<Body> {
    let opened = async {
        let (head, _) = request.into_parts();
        let caller = own_user(&state, &head.headers)?;
        let listener = keep(&state, EvaluationRequest::empty(), &caller, |snapshot| {
            snapshot.context_needs().clone()
        })?;
        open_all(&state, &head, listener).await
    };
    of_the_caller(opened.await.unwrap_or_else(|refusal| refusal.problem(&state)))
}

/// `GET /ofrep/v1/events`: that something changed, for any caller. The events name no users and no
/// values, as a browser's `EventSource` cannot send a credential.
pub async fn changes(State(state): State<PublicState>, request: Request) -> Response<Body> {
    let (head, _) = request.into_parts();
    let subscriber = Subscriber::of_changes(&state.live.current());
    let opened = take_over(&state, &head, Subscription::Changes, &Caller::Plain, subscriber);
    opened.unwrap_or_else(|refusal| refusal.ofrep(&state, None))
}

/// A flag that is known, or that may turn out to be once a snapshot exists.
fn flag(state: &PublicState, key: &str) -> Result<FlagKey, ApiError> {
    let snapshot = state.live.current();
    match snapshot.flag(key) {
        Some(entry) => Ok(entry.key().clone()),
        None if snapshot.is_cold() => key.parse().map_err(|_| ApiError::UnknownFlag),
        None => Err(ApiError::UnknownFlag),
    }
}

/// Builds the context to keep for a stream. No more is kept than flags need, as far as that is
/// known. A mistake in the request is answered now, not on the stream.
fn keep(
    state: &PublicState,
    question: EvaluationRequest<'_>,
    caller: &Caller,
    asked: impl FnOnce(&Snapshot) -> Arc<ContextNeeds>,
) -> Result<KeptContext, ApiError> {
    question.context(caller)?;
    let snapshot = state.live.current();
    Ok(if snapshot.is_cold() {
        KeptContext::whole(question, caller)
    } else {
        KeptContext::of(question, caller, &asked(&snapshot))
    })
}

fn open_one(
    state: &PublicState,
    head: &Parts,
    flag: FlagKey,
    question: EvaluationRequest<'_>,
    caller: &Caller,
) -> Result<Response<Body>, ApiError> {
    let asked = |snapshot: &Snapshot| {
        let of = snapshot.flag(flag.as_str()).and_then(|entry| entry.flag());
        Arc::new(of.map(ContextNeeds::by).unwrap_or_default())
    };
    let kept = keep(state, question, caller, asked)?;
    take_over(
        state,
        head,
        Subscription::Flag(flag.clone()),
        caller,
        Subscriber::of_flag(flag, kept),
    )
}

async fn open_all(
    state: &PublicState,
    head: &Parts,
    kept: KeptContext,
) -> Result<Response<Body>, ApiError> {
    // Checks for room first, so that nothing is evaluated for a caller that finds none.
    state.hub.check(&state.hub.opener(kept.caller(), address(state, head), kept.bytes()))?;
    let snapshot = state.live.current().clone();
    let (snapshot, every) = state.decide_for(snapshot, &kept, Form::Strategy, Bytes::new()).await?;
    let caller = kept.caller().clone();
    take_over(state, head, Subscription::All, &caller, Subscriber::of_all(kept, every, &snapshot))
}

/// Opens a realtime stream: the strategy of its flag, and the events of a feed.
pub fn open_realtime(
    state: &PublicState,
    head: &Parts,
    flag: FlagKey,
    kept: KeptContext,
    feed: FeedFollower,
) -> Result<Response<Body>, ApiError> {
    let caller = kept.caller().clone();
    let follows = Subscription::Realtime(flag.clone());
    let subscriber = Subscriber::of_realtime(flag, kept);
    let opened = take_over_with(state, head, follows, &caller, (subscriber, Some(Box::new(feed))));
    opened.map(of_the_caller)
}

fn take_over(
    state: &PublicState,
    head: &Parts,
    follows: Subscription,
    caller: &Caller,
    subscriber: Subscriber,
) -> Result<Response<Body>, ApiError> {
    take_over_with(state, head, follows, caller, (subscriber, None))
}

fn take_over_with(
    state: &PublicState,
    head: &Parts,
    follows: Subscription,
    caller: &Caller,
    (subscriber, feed): (Subscriber, Option<Box<FeedFollower>>),
) -> Result<Response<Body>, ApiError> {
    let opener = state.hub.opener(caller, address(state, head), subscriber.bytes());
    let hub = state.hub.clone();
    let take_over = if head.method == Method::HEAD {
        // No stream begins, so none makes room for it. A realtime stream always finds a place.
        if feed.is_none() {
            hub.check(&opener)?;
        }
        Hijack::of_nothing()
    } else {
        let stream = hub.open(follows, opener)?;
        Hijack::new(move |taken| -> super::server::Run {
            Box::pin(StreamSession::new(taken, stream, subscriber, feed, hub).run())
        })
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that compresses holds an event back until its window is full, unless it is asked to
    // leave the response as it is (RFC 9111 §5.2.2.6).
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    ResponseBuilder { state, snapshot: &state.live.current(), flag_changed_at: None }
        .describe(headers);
    response.extensions_mut().insert(take_over);
    Ok(response)
}

/// The client address that bounds are applied to.
fn address(state: &PublicState, head: &Parts) -> Option<IpAddr> {
    let Peer(peer) = head.extensions.get::<Peer>()?;
    state.proxies.client(*peer, &head.headers)
}

/// Marks the response as depending on the caller.
fn of_the_caller(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().append(VARY, HeaderValue::from_static("authorization, x-api-key"));
    response
}

//! Streams: whoever watches is told the state that holds for them at once, and again whenever that is another.
//!
//! Events are states and never deltas, so a newer one replaces an older one that was not written yet, and nothing has to be kept for
//! anybody. An answer that becomes a stream takes its connection over (`server/takeover.rs`).
//!
//! | file | what it decides |
//! |---|---|
//! | `hub` | who is woken, and when |
//! | `pace` | how many are woken before others have a turn |
//! | `view` | what a client is to be told of a snapshot |
//! | `follow` | the life of one stream |
//! | `outlet` | how its bytes get out, and when a reader has been stuck for too long |
//! | `frame` | what an event looks like |
//! | `ack` | what an acknowledgement is |

mod ack;
mod follow;
mod frame;
mod hub;
mod limits;
mod outlet;
mod pace;
mod view;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

pub use ack::acknowledge;
pub use frame::Goodbye;
pub use hub::Hub;
pub use limits::StreamLimits;

use super::Surface;
use super::answer::Answer;
use super::auth;
use super::error::Refusal;
use super::question::{FlagPath, Question, key};
use super::server::TakeOver;
use crate::convergence::Follows;
use crate::flag::FlagKey;
use follow::Follow;
use view::{Listener, View};

/// Where OFREP's clients hear that something changed.
pub const CHANGES_PATH: &str = "/ofrep/v1/events";

/// Proxies that collect an answer before they pass it on are told not to (nginx's own header).
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `POST /v1/strategy/{flag}/watch`.
pub async fn one(State(surface): State<Surface>, path: FlagPath, request: Request) -> Response<Body> {
    let opened = async {
        let follows = flag(&surface, key(&path))?;
        open(&surface, follows, listener(&surface, request).await?)
    };
    opened.await.unwrap_or_else(|refusal| refusal.problem(&surface))
}

/// `GET /v1/strategy/{flag}/watch`, for the user of a session token.
pub async fn mine(State(surface): State<Surface>, path: FlagPath, headers: HeaderMap) -> Response<Body> {
    let opened = auth::user(&surface, &headers).and_then(|asker| {
        let follows = flag(&surface, key(&path))?;
        open(&surface, follows, Listener { question: Question::empty(), asker })
    });
    of_the_caller(opened.unwrap_or_else(|refusal| refusal.problem(&surface)))
}

/// `POST /v1/watch`.
pub async fn all(State(surface): State<Surface>, request: Request) -> Response<Body> {
    let opened = async { open(&surface, Follows::All, listener(&surface, request).await?) };
    opened.await.unwrap_or_else(|refusal| refusal.problem(&surface))
}

/// `GET /v1/watch`, for the user of a session token.
pub async fn all_mine(State(surface): State<Surface>, headers: HeaderMap) -> Response<Body> {
    let opened = auth::user(&surface, &headers)
        .and_then(|asker| open(&surface, Follows::All, Listener { question: Question::empty(), asker }));
    of_the_caller(opened.unwrap_or_else(|refusal| refusal.problem(&surface)))
}

/// `GET /ofrep/v1/events`: that something changed, for whoever asks. It says nothing of users or values, as a browser's `EventSource` has no
/// way of saying who it is.
pub async fn changes(State(surface): State<Surface>) -> Response<Body> {
    take_over(&surface, Follows::Changes, View::of_changes()).unwrap_or_else(|refusal| refusal.ofrep(&surface, None))
}

/// A flag that is known, or may be once anything is.
fn flag(surface: &Surface, key: &str) -> Result<Follows, Refusal> {
    let snapshot = surface.live.current();
    match snapshot.flag(key) {
        Some(entry) => Ok(Follows::Flag(entry.key().clone())),
        None if snapshot.is_cold() => key.parse::<FlagKey>().map(Follows::Flag).map_err(|_| Refusal::UnknownFlag),
        None => Err(Refusal::UnknownFlag),
    }
}

/// Who asks with a body; nothing of its bytes is kept but what it says.
async fn listener(surface: &Surface, request: Request) -> Result<Listener, Refusal> {
    let (head, request_body) = request.into_parts();
    let (asker, bytes) = auth::asker_of_whole(surface, &head.headers, request_body).await?;
    Ok(Listener { question: Question::native(&bytes)?.into_owned(), asker })
}

fn open(surface: &Surface, follows: Follows, listener: Listener) -> Result<Response<Body>, Refusal> {
    // Whatever is wrong with who asks is said now, and not in a stream.
    listener.question.context(&listener.asker)?;
    let view = View::of_listener(follows.clone(), listener);
    take_over(surface, follows, view)
}

fn take_over(surface: &Surface, follows: Follows, view: View) -> Result<Response<Body>, Refusal> {
    let stream = surface.hub.open(follows)?;
    let hub = surface.hub.clone();
    let mut response = Response::new(Body::empty());
    surface.statuses.count(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that compresses keeps an event until its window is full, unless it is told to leave the answer as it is (RFC 9111 §5.2.2.6).
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Answer { surface, snapshot: &surface.live.current(), flag_changed_at: None }.describe(headers);
    let run = move |taken| -> super::server::Run { Box::pin(Follow::new(taken, stream, view, hub).run()) };
    response.extensions_mut().insert(TakeOver::new(run));
    Ok(response)
}

/// Says that the answer depends on who asked.
fn of_the_caller(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().append(VARY, HeaderValue::from_static("authorization, x-api-key"));
    response
}

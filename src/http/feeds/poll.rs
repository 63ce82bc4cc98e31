//! `GET /v1/feeds/{flag}/{stream}`: a page of events.

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::Response;
use axum::http::request::Parts;

use super::answer::FeedAnswer;
use super::hold::IdlePoll;
use super::path::{StreamPath, check_flag, names, stream_of};
use crate::auth::ServerAction;
use crate::feeds::{EventPage, PollError, PollOutcome, PollQuery, Reader, Watched};
use crate::http::error::ApiError;
use crate::http::public::{Caller, caller, if_none_match};
use crate::http::rate_limit;
use crate::http::server::Resumed;
use crate::http::state::PublicState;
use crate::quota::Policy;
use crate::snapshot::Snapshot;

/// A poll as it arrived.
pub struct PollRequest {
    pub head: Parts,
    /// Whether it was held, and is answered now.
    was_held: bool,
    /// A request with a body is not held.
    may_be_held: bool,
}

impl PollRequest {
    pub fn of(request: Request) -> PollRequest {
        let (head, body) = request.into_parts();
        let was_held = head.extensions.get::<Resumed>().is_some();
        PollRequest { head, was_held, may_be_held: !was_held && body.is_end_stream() }
    }
}

pub async fn poll(
    State(state): State<PublicState>,
    path: StreamPath,
    request: Request,
) -> Response<Body> {
    let (flag, stream) = names(&path);
    evaluate_poll(&state, flag, stream, &PollRequest::of(request)).await
}

/// Answers a poll of a stream whose names are decoded, or holds it.
pub async fn evaluate_poll(
    state: &PublicState,
    flag: &str,
    stream: &str,
    request: &PollRequest,
) -> Response<Body> {
    let PollRequest { head, was_held, .. } = request;
    let caller = caller(state, &head.headers).and_then(|caller| reader(caller, flag));
    let count = if *was_held { rate_limit::look } else { rate_limit::take };
    let left = caller.as_ref().ok().and_then(|caller| count(state, Policy::Feed, caller));
    let snapshot = state.live.current();
    let found = match (&caller, left.and_then(rate_limit::over)) {
        (Ok(caller), None) => page(state, &snapshot, (flag, stream), request, caller).await,
        (Ok(_), Some(refusal)) => Err(refusal),
        (Err(refusal), _) => Err(refusal.clone()),
    };
    let answer = FeedAnswer { state, snapshot: &snapshot, flag, left };
    let counts = state.feeds.counts();
    match found {
        Ok(FoundPage { page, query, watched }) => {
            if let (Ok(caller), Some(watched)) = (&caller, watched) {
                let (snapshot, query, page) = (&*snapshot, &query, &page);
                let idle = IdlePoll { state, snapshot, flag, head, caller, query, page, watched };
                if let Some(held) = idle.hold() {
                    return held;
                }
            }
            let is_new = page.events > 0;
            counts.polled(if is_new { PollOutcome::New } else { PollOutcome::Empty });
            // Events are delivered, whatever tag their reader names.
            let is_held = !is_new && if_none_match(&head.headers, page.etag.as_bytes());
            answer.page(page.body, &page.etag, is_held, is_new)
        }
        Err(refusal) => {
            counts.polled(PollOutcome::Error);
            answer.refuse(&refusal)
        }
    }
}

/// The caller, if it may read feeds at all: a user who is verified, or a server.
fn reader(caller: Caller, flag: &str) -> Result<Caller, ApiError> {
    match caller {
        Caller::Plain => Err(ApiError::Unauthenticated),
        Caller::Server(server) => {
            server.check(ServerAction::Ask, Some(flag))?;
            Ok(Caller::Server(server))
        }
        user @ Caller::User(_) => Ok(user),
    }
}

/// What a poll found.
struct FoundPage<'q> {
    page: EventPage,
    query: PollQuery<'q>,
    /// Where the poll may be held: the stream, as it was before it was looked at.
    watched: Option<Watched>,
}

async fn page<'r>(
    state: &PublicState,
    snapshot: &Snapshot,
    (flag, stream): (&str, &str),
    request: &'r PollRequest,
    caller: &Caller,
) -> Result<FoundPage<'r>, ApiError> {
    let reader = match caller {
        // Its server let the user read it.
        Caller::User(session) if session.names_stream(flag, stream) => Reader::Any,
        Caller::User(session) => {
            Reader::User(session.subject().map_or("", |subject| subject.as_str()))
        }
        Caller::Server(_) | Caller::Plain => Reader::Any,
    };
    check_flag(snapshot, flag)?;
    let query = PollQuery::read(request.head.uri.query()).map_err(ApiError::BadLimit)?;
    let watches = request.may_be_held && query.wait_ms > 0;
    let watch = || watches.then(|| state.feeds.watch((flag, stream))).flatten();
    let look = |was_held| state.feeds.poll_warm((flag, stream), reader, &query, was_held);
    let watched = watch();
    if let Some(answer) = look(request.was_held) {
        return Ok(FoundPage { page: answer?, query, watched });
    }
    let key = stream_of(snapshot, flag, stream)?;
    let page = state.feeds.poll(&key, reader, &query).await?;
    // It is in memory now, where it can be watched.
    let watched = watch();
    let page = match (&watched, page.events) {
        (Some(_), 0) => look(true).transpose()?.unwrap_or(page),
        _ => page,
    };
    Ok(FoundPage { page, query, watched })
}

impl From<PollError> for ApiError {
    fn from(error: PollError) -> ApiError {
        match error {
            PollError::NoStream => ApiError::StreamNotFound,
            PollError::BadCursor => ApiError::BadCursor,
            PollError::Reset(start) => ApiError::StreamReset(start),
            PollError::Expired(oldest) => ApiError::CursorExpired(oldest),
            PollError::Unavailable => ApiError::EventsUnavailable,
        }
    }
}

//! `GET /v1/feeds/{flag}/{stream}`: a page of events.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, Uri};

use super::answer::FeedAnswer;
use super::path::{StreamPath, check_flag, names, stream_of};
use crate::auth::ServerAction;
use crate::feeds::{EventPage, PollError, PollOutcome, PollQuery, Reader};
use crate::http::error::ApiError;
use crate::http::public::{Caller, caller, if_none_match};
use crate::http::rate_limit;
use crate::http::state::PublicState;
use crate::quota::Policy;
use crate::snapshot::Snapshot;

pub async fn poll(
    State(state): State<PublicState>,
    path: StreamPath,
    request: Request,
) -> Response<Body> {
    let (head, _) = request.into_parts();
    let (flag, stream) = names(&path);
    evaluate_poll(&state, flag, stream, &head.uri, &head.headers).await
}

/// Answers a poll of a stream whose names are decoded.
pub async fn evaluate_poll(
    state: &PublicState,
    flag: &str,
    stream: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response<Body> {
    let caller = caller(state, headers).and_then(|caller| reader(caller, flag));
    let left =
        caller.as_ref().ok().and_then(|caller| rate_limit::take(state, Policy::Feed, caller));
    let snapshot = state.live.current();
    let found = match (caller, left.and_then(rate_limit::over)) {
        (Ok(caller), None) => page(state, &snapshot, (flag, stream), uri.query(), &caller).await,
        (Err(refusal), _) | (Ok(_), Some(refusal)) => Err(refusal),
    };
    let answer = FeedAnswer { state, snapshot: &snapshot, flag, left };
    let counts = state.feeds.counts();
    match found {
        Ok(page) => {
            let is_new = page.events > 0;
            counts.polled(if is_new { PollOutcome::New } else { PollOutcome::Empty });
            let is_held = if_none_match(headers, page.etag.as_bytes());
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

async fn page(
    state: &PublicState,
    snapshot: &Snapshot,
    (flag, stream): (&str, &str),
    query: Option<&str>,
    caller: &Caller,
) -> Result<EventPage, ApiError> {
    let reader = match caller {
        // Its server let the user read it.
        Caller::User(session) if session.names_stream(flag, stream) => Reader::Any,
        Caller::User(session) => {
            Reader::User(session.subject().map_or("", |subject| subject.as_str()))
        }
        Caller::Server(_) | Caller::Plain => Reader::Any,
    };
    check_flag(snapshot, flag)?;
    let query = PollQuery::read(query).map_err(ApiError::BadLimit)?;
    if let Some(answer) = state.feeds.poll_warm((flag, stream), reader, &query) {
        return Ok(answer?);
    }
    let key = stream_of(snapshot, flag, stream)?;
    Ok(state.feeds.poll(&key, reader, &query).await?)
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

//! Who may open a realtime stream, and where it begins.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, Response};

use super::follower::FeedFollower;
use crate::feeds::{BadQuery, From, Reader, parameters};
use crate::http::bearer::{API_KEY, bearer, only};
use crate::http::error::ApiError;
use crate::http::feeds::{FeedAnswer, StreamPath, check_flag, names, stream_of};
use crate::http::issuer::{TokenContext, is_realtime};
use crate::http::public::Caller;
use crate::http::rate_limit;
use crate::http::sse::open_realtime;
use crate::http::state::PublicState;
use crate::quota::{Decision, Policy};

pub const REALTIME_PATH: &str = "/v1/realtime/{flag}/{stream}";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub async fn open(
    State(state): State<PublicState>,
    path: StreamPath,
    request: Request,
) -> Response<Body> {
    let (head, _) = request.into_parts();
    let (flag, stream) = names(&path);
    let (opened, left) = match context(&state, &head) {
        Ok(context) => {
            let left = rate_limit::take(&state, Policy::Realtime, context.kept.caller());
            (opened(&state, &head, (flag, stream), context, left).await, left)
        }
        Err(refusal) => (Err(refusal), None),
    };
    match opened {
        Ok(mut response) => {
            if let Some(left) = left {
                rate_limit::describe(response.headers_mut(), left);
            }
            response
        }
        Err(refusal) => {
            let snapshot = state.live.current();
            FeedAnswer { state: &state, snapshot: &snapshot, flag, left }.refuse(&refusal)
        }
    }
}

/// What the token of a request was asked for with.
fn context(state: &PublicState, head: &Parts) -> Result<TokenContext, ApiError> {
    // Two credentials: it is not clear which one is meant.
    if head.headers.contains_key(API_KEY) {
        return Err(ApiError::Unauthenticated);
    }
    let token = bearer(&head.headers)?.ok_or(ApiError::Unauthenticated)?;
    let token = state.authenticator.realtime_token(token, state.clock.now())?;
    let issuer = state.authenticator.issuer.as_ref().ok_or(ApiError::Unauthenticated)?;
    let sealed = issuer.open(&token).ok_or(ApiError::Unauthenticated)?;
    let context = TokenContext::from_bytes(&sealed, &token).ok_or(ApiError::Unauthenticated)?;
    // The key of the session that it was made for may be accepted no longer.
    if !context.kept.caller().is_still_let_in(&state.authenticator, || state.clock.now()) {
        return Err(ApiError::Unauthenticated);
    }
    Ok(context)
}

async fn opened(
    state: &PublicState,
    head: &Parts,
    (flag, stream): (&str, &str),
    context: TokenContext,
    left: Option<Decision>,
) -> Result<Response<Body>, ApiError> {
    if let Some(refusal) = left.and_then(rate_limit::over) {
        return Err(refusal);
    }
    let Caller::User(token) = context.kept.caller() else { return Err(ApiError::Unauthenticated) };
    let key = {
        let snapshot = state.live.current();
        check_flag(&snapshot, flag)?;
        if !token.names_stream(flag, stream) {
            return Err(ApiError::StreamNotFound);
        }
        if !is_realtime(&snapshot, flag, &context.kept) {
            return Err(ApiError::NotRealtime);
        }
        stream_of(&snapshot, flag, stream)?
    };
    let user = token.subject().map(|subject| Box::from(subject.as_str()));
    let user = if context.is_named(stream) { None } else { user };
    let reader = user.as_deref().map_or(Reader::Any, Reader::User);
    let place = state.feeds.begin(&key, reader, &begin(head)?).await?;
    let feed = FeedFollower::new(state.feeds.clone(), key.clone(), user, place);
    open_realtime(state, head, key.flag().clone(), context.kept, feed)
}

/// Where a stream begins: behind the last message that its client has, or behind a cursor. A header
/// that stands there twice, or without a value, does not say where.
fn begin(head: &Parts) -> Result<From<'_>, ApiError> {
    let last = only(&head.headers, &LAST_EVENT_ID).map_err(|_| ApiError::BadCursor)?;
    if let Some(last) = last {
        let cursor = last.to_str().ok().filter(|cursor| !cursor.is_empty());
        return Ok(From::After(cursor.ok_or(ApiError::BadCursor)?.into()));
    }
    let [cursor] = parameters(head.uri.query(), ["cursor"])
        .map_err(|_| ApiError::BadLimit(BadQuery::Cursor))?;
    match cursor {
        None => Ok(From::Start),
        Some(text) if text.is_empty() => Err(ApiError::BadCursor),
        Some(text) if text == "now" => Ok(From::Now),
        Some(text) => Ok(From::After(text)),
    }
}

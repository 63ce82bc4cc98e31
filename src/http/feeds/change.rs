//! `POST` and `DELETE /v1/feeds/{flag}/{stream}`: publishing to a stream, and removing it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde::Serialize;
use turnout_api::feeds::{PublishResult, StreamDeleted};

use super::answer::FeedAnswer;
use super::path::{StreamPath, check_flag, names, stream_of};
use crate::auth::ServerAction;
use crate::feeds::limits::MAX_PUBLISH_BYTES;
use crate::feeds::{Publish, PublishError, PublishRefused, RemovalError, StreamKey};
use crate::http::error::ApiError;
use crate::http::public::{server, with_body};
use crate::http::state::PublicState;

pub async fn publish(
    State(state): State<PublicState>,
    path: StreamPath,
    request: Request,
) -> Response<Body> {
    let (flag, stream) = names(&path);
    let (head, body) = request.into_parts();
    let done = async {
        let server = server(&state, &head.headers, ServerAction::Publish, Some(flag))?;
        check_flag(&state.live.current(), flag)?;
        let (_, bytes) = with_body(&state, server, MAX_PUBLISH_BYTES, body).await?;
        published(&state, flag, stream, &bytes).await
    };
    respond(&state, flag, done.await)
}

pub async fn delete(
    State(state): State<PublicState>,
    path: StreamPath,
    request: Request,
) -> Response<Body> {
    let (flag, stream) = names(&path);
    let (head, _) = request.into_parts();
    let done = async {
        server(&state, &head.headers, ServerAction::Publish, Some(flag))?;
        deleted(&state, flag, stream).await
    };
    respond(&state, flag, done.await)
}

/// Publishes a body, for a caller who may.
pub async fn published(
    state: &PublicState,
    flag: &str,
    stream: &str,
    body: &[u8],
) -> Result<PublishResult, ApiError> {
    let key = stream_of(&state.live.current(), flag, stream)?;
    let publish = Publish::read(body).map_err(ApiError::BadPublish)?;
    let done = state.feeds.publish(key.clone(), publish).await?;
    Ok(PublishResult {
        cursor: state.feeds.cursor(&key, done.epoch, done.head),
        accepted: done.accepted as u64,
        duplicates: done.duplicates as u64,
    })
}

/// Removes a stream, for a caller who may. One that is gone already is as good. A stream stays when
/// its flag is retired, and is removed all the same.
pub async fn deleted(
    state: &PublicState,
    flag: &str,
    stream: &str,
) -> Result<StreamDeleted, ApiError> {
    let existed = match StreamKey::parse(flag, stream) {
        Some(key) => state.feeds.delete(key).await?,
        None => false,
    };
    if !existed {
        check_flag(&state.live.current(), flag)?;
    }
    Ok(StreamDeleted { existed })
}

fn respond(
    state: &PublicState,
    flag: &str,
    done: Result<impl Serialize, ApiError>,
) -> Response<Body> {
    let snapshot = state.live.current();
    let answer = FeedAnswer { state, snapshot: &snapshot, flag, left: None };
    match done {
        Ok(body) => answer.json(&body),
        Err(refusal) => answer.refuse(&refusal),
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> ApiError {
        match error {
            PublishError::Refused(PublishRefused::EventExists(number)) => {
                ApiError::EventExists(number)
            }
            PublishError::Refused(PublishRefused::StreamEnded) => ApiError::StreamEnded,
            PublishError::Refused(PublishRefused::Full(bound)) => ApiError::EventsFull(bound),
            PublishError::Unavailable => ApiError::PublishUnavailable,
        }
    }
}

impl From<RemovalError> for ApiError {
    fn from(error: RemovalError) -> ApiError {
        match error {
            RemovalError::DiskFull => ApiError::NoRoomToRemove,
            RemovalError::Unavailable => ApiError::EventsUnavailable,
        }
    }
}

//! Feeds for operators: the same streams as on the public listener, each readable and writable with
//! a token of the admin listener.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde::Serialize;

use super::answer::{json as answer, refuse, respond};
use super::state::AdminState;
use crate::auth::Caller;
use crate::feeds::{PollOutcome, PollQuery, Reader};
use crate::http::error::ApiError;
use crate::http::feeds::{StreamPath, deleted, listed, names, published, stream_of};
use crate::http::flag_path::{FlagPath, key};

pub async fn poll(
    State(state): State<AdminState>,
    path: StreamPath,
    request: Request,
) -> Response<Body> {
    let (head, _) = request.into_parts();
    let (flag, stream) = names(&path);
    let counts = state.public.feeds.counts();
    let page = async {
        let query = PollQuery::read(head.uri.query()).map_err(ApiError::BadLimit)?;
        let key = stream_of(&state.public.live.current(), flag, stream)?;
        Ok(state.public.feeds.poll(&key, Reader::Any, &query).await?)
    };
    match page.await {
        Ok(page) => {
            let is_new = page.events > 0;
            counts.polled(if is_new { PollOutcome::New } else { PollOutcome::Empty });
            respond(&state, StatusCode::OK, "application/json", page.body)
        }
        Err(refusal) => {
            counts.polled(PollOutcome::Error);
            refuse(&state, &refusal)
        }
    }
}

pub async fn publish(
    State(state): State<AdminState>,
    Extension(caller): Extension<Caller>,
    path: StreamPath,
    body: Bytes,
) -> Response<Body> {
    let (flag, stream) = names(&path);
    let done = async {
        reaches(&caller, flag)?;
        published(&state.public, flag, stream, &body).await
    };
    said(&state, done.await)
}

pub async fn delete(
    State(state): State<AdminState>,
    Extension(caller): Extension<Caller>,
    path: StreamPath,
) -> Response<Body> {
    let (flag, stream) = names(&path);
    let done = async {
        reaches(&caller, flag)?;
        deleted(&state.public, flag, stream).await
    };
    said(&state, done.await)
}

pub async fn list(
    State(state): State<AdminState>,
    path: FlagPath,
    request: Request,
) -> Response<Body> {
    let (head, _) = request.into_parts();
    let done = listed(&state.public, key(&path), head.uri.query()).await;
    said(&state, done)
}

fn reaches(caller: &Caller, flag: &str) -> Result<(), ApiError> {
    if caller.reaches(flag) { Ok(()) } else { Err(ApiError::OtherFlags) }
}

fn said(state: &AdminState, done: Result<impl Serialize, ApiError>) -> Response<Body> {
    match done {
        Ok(body) => answer(state, StatusCode::OK, &body),
        Err(refusal) => refuse(state, &refusal),
    }
}

//! `GET /v1/feeds/{flag}`: the streams of a flag, a hundred at a time.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use turnout_api::feeds::{EveryReader, ReaderCount, StreamList, StreamRow};

use super::answer::FeedAnswer;
use super::path::check_flag;
use crate::auth::ServerAction;
use crate::feeds::{ListedStream, is_stream, parameters};
use crate::flag::FlagKey;
use crate::http::error::ApiError;
use crate::http::flag_path::{FlagPath, key};
use crate::http::public::{Caller, caller};
use crate::http::state::PublicState;

pub async fn list(
    State(state): State<PublicState>,
    path: FlagPath,
    request: Request,
) -> Response<Body> {
    let flag = key(&path);
    let (head, _) = request.into_parts();
    let done = async {
        match caller(&state, &head.headers)? {
            // A key that reads or writes the streams knows of them.
            Caller::Server(server) => server
                .check(ServerAction::Ask, Some(flag))
                .or_else(|_| server.check(ServerAction::Publish, Some(flag)))?,
            Caller::User(_) => return Err(ApiError::ServerKeyNeeded),
            Caller::Plain => return Err(ApiError::Unauthenticated),
        }
        listed(&state, flag, head.uri.query()).await
    };
    let done = done.await;
    let snapshot = state.live.current();
    let answer = FeedAnswer { state: &state, snapshot: &snapshot, flag, left: None };
    match done {
        Ok(body) => answer.json(&body),
        Err(refusal) => answer.refuse(&refusal),
    }
}

/// The streams behind `after`, for a caller who may know of them. Those of a retired flag are listed
/// for as long as there are any.
pub async fn listed(
    state: &PublicState,
    flag: &str,
    query: Option<&str>,
) -> Result<StreamList, ApiError> {
    let key: FlagKey = flag.parse().map_err(|_| ApiError::UnknownFlag)?;
    let bad = || ApiError::InvalidRequest("`after` is the name of one stream".to_owned());
    let [after] = parameters(query, ["after"]).map_err(|_| bad())?;
    if after.as_ref().is_some_and(|name| !is_stream(name)) {
        return Err(bad());
    }
    let (streams, has_more) = state.feeds.list(&key, &after.unwrap_or_default()).await?;
    if streams.is_empty() {
        check_flag(&state.live.current(), flag)?;
    }
    let streams = streams.iter().map(row).collect();
    Ok(StreamList { streams, has_more })
}

fn row(listed: &ListedStream) -> StreamRow {
    let every = ReaderCount::Every(EveryReader::Verified);
    let readers = listed.readers.map_or(every, |count| ReaderCount::Listed(count as u64));
    StreamRow {
        stream: listed.stream.clone(),
        head: listed.head,
        kept: listed.kept,
        bytes: listed.bytes,
        readers,
        ended: listed.ended,
    }
}

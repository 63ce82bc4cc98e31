//! Which stream a path names.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use crate::feeds::StreamKey;
use crate::flag::FlagKey;
use crate::http::error::ApiError;
use crate::snapshot::Snapshot;

/// The path of a stream, and of a flag's streams.
pub const STREAM_PATH: &str = "/v1/feeds/{flag}/{stream}";
pub const STREAMS_PATH: &str = "/v1/feeds/{flag}";

/// The flag and the stream a path names, decoded; a path that is not UTF-8 names none.
pub type StreamPath = Result<Path<(String, String)>, PathRejection>;

/// The two names of a path.
pub fn names(path: &StreamPath) -> (&str, &str) {
    path.as_ref().map_or(("", ""), |Path((flag, stream))| (flag, stream))
}

/// A stream of a flag that is known, or that may turn out to be once a snapshot exists.
pub fn stream_of(snapshot: &Snapshot, flag: &str, stream: &str) -> Result<StreamKey, ApiError> {
    check_flag(snapshot, flag)?;
    StreamKey::parse(flag, stream).ok_or(ApiError::StreamNotFound)
}

pub fn check_flag(snapshot: &Snapshot, flag: &str) -> Result<(), ApiError> {
    if snapshot.flag(flag).is_some() || (snapshot.is_cold() && FlagKey::accepts(flag)) {
        Ok(())
    } else {
        Err(ApiError::UnknownFlag)
    }
}

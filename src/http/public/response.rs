//! How responses look on the wire: their headers, and when there is nothing new to send.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;

use crate::http::headers::{FLAG_REVISION, REVISION, STALE};
use crate::http::state::PublicState;
use crate::snapshot::Snapshot;

/// The number of headers of a plain response. Room for one more would be twice as large, and too
/// large for the sizes that glibc caches.
const HEADERS: usize = 6;

/// Builds a response from one snapshot.
pub struct ResponseBuilder<'s> {
    pub state: &'s PublicState,
    pub snapshot: &'s Snapshot,
    /// The position at which the one flag that was asked for last changed.
    pub flag_changed_at: Option<&'s Bytes>,
}

impl ResponseBuilder<'_> {
    /// A JSON body; 304 without a body if the caller already holds the tag.
    pub fn json(
        &self,
        status: StatusCode,
        body: impl Into<Body>,
        etag: Option<(&Bytes, bool)>,
    ) -> Response<Body> {
        let fresh = etag.is_some_and(|(_, matched)| matched);
        let mut response =
            if fresh { Response::new(Body::empty()) } else { Response::new(body.into()) };
        let status = if fresh { StatusCode::NOT_MODIFIED } else { status };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        if !fresh {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if let Some((etag, _)) = etag {
            insert(headers, ETAG, etag);
        }
        self.describe(headers);
        response
    }

    /// A response with 204 and no body.
    pub fn no_content(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        self.describe(response.headers_mut());
        response
    }

    /// Adds the headers that say from which state the response was made.
    pub fn describe(&self, headers: &mut HeaderMap) {
        insert(headers, REVISION, self.snapshot.position_text());
        if let Some(changed_at) = self.flag_changed_at {
            insert(headers, FLAG_REVISION, changed_at);
        }
        let stale = match self.state.staleness.stale_seconds() {
            0 => HeaderValue::from_static("0"),
            seconds => seconds.into(),
        };
        headers.insert(STALE, stale);
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    // Positions and tags are plain ASCII, and so short that a copy costs less than a reference
    // count that all cores share.
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
}

/// Whether the caller already holds the body of this tag. Tags are compared weakly over a list, as
/// RFC 9110 §13.1.2 has it, since compressing proxies weaken tags.
pub fn if_none_match(headers: &HeaderMap, etag: &[u8]) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    let Ok(etag) = std::str::from_utf8(etag) else { return false };
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
}

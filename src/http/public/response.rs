//! How responses look on the wire: their headers, and when there is nothing new to send.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;

use crate::http::headers::{FLAG_REVISION, REVISION, STALE};
use crate::http::state::PublicState;
use crate::snapshot::Snapshot;

const NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");
const EMPTY: HeaderValue = HeaderValue::from_static("");

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
        *response.status_mut() = if fresh { StatusCode::NOT_MODIFIED } else { status };
        let shape = HeaderShape {
            has_body: !fresh,
            has_tag: etag.is_some(),
            has_flag: self.flag_changed_at.is_some(),
        };
        let mut headers = shape.prepared().clone();
        let mut places = headers.values_mut().skip(shape.same_for_all());
        let mut fill = |text: &Bytes| {
            if let (Some(place), Ok(text)) = (places.next(), HeaderValue::from_bytes(text)) {
                *place = text;
            }
        };
        if let Some((etag, _)) = etag {
            fill(etag);
        }
        fill(self.snapshot.position_text());
        if let Some(changed_at) = self.flag_changed_at {
            fill(changed_at);
        }
        if let Some(place) = places.next() {
            *place = self.stale();
        }
        *response.headers_mut() = headers;
        response
    }

    /// A response with 204 and no body.
    pub fn no_content(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(CACHE_CONTROL, NO_CACHE);
        self.describe(response.headers_mut());
        response
    }

    /// Adds the headers that say from which state the response was made.
    pub fn describe(&self, headers: &mut HeaderMap) {
        insert(headers, REVISION, self.snapshot.position_text());
        if let Some(changed_at) = self.flag_changed_at {
            insert(headers, FLAG_REVISION, changed_at);
        }
        headers.insert(STALE, self.stale());
    }

    pub fn stale(&self) -> HeaderValue {
        match self.state.staleness.stale_seconds() {
            0 => HeaderValue::from_static("0"),
            seconds => seconds.into(),
        }
    }
}

/// Which headers a JSON response has besides those that all have.
#[derive(Clone, Copy)]
struct HeaderShape {
    has_body: bool,
    has_tag: bool,
    has_flag: bool,
}

impl HeaderShape {
    /// The headers of this shape, with empty values where those differ between responses. A copy
    /// of a map whose values are part of the program costs less than a map built header by header.
    fn prepared(self) -> &'static HeaderMap {
        static PREPARED: LazyLock<[HeaderMap; 8]> =
            LazyLock::new(|| std::array::from_fn(|bits| HeaderShape::of_index(bits).headers()));
        &PREPARED[self.index()]
    }

    fn index(self) -> usize {
        usize::from(self.has_body)
            | usize::from(self.has_tag) << 1
            | usize::from(self.has_flag) << 2
    }

    fn of_index(bits: usize) -> HeaderShape {
        let has = |place: u8| bits >> place & 1 == 1;
        HeaderShape { has_body: has(0), has_tag: has(1), has_flag: has(2) }
    }

    /// How many headers at the beginning have one value in every response of this shape. Those
    /// behind them follow in the order tag, position, the flag's position, staleness.
    fn same_for_all(self) -> usize {
        usize::from(self.has_body) + 1
    }

    /// At most six headers: room for one more would be twice as large, and too large for the sizes
    /// that glibc caches.
    fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(CACHE_CONTROL, NO_CACHE);
        if self.has_tag {
            headers.insert(ETAG, EMPTY);
        }
        headers.insert(REVISION, EMPTY);
        if self.has_flag {
            headers.insert(FLAG_REVISION, EMPTY);
        }
        headers.insert(STALE, EMPTY);
        headers
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
    if !headers.contains_key(IF_NONE_MATCH) {
        return false;
    }
    let Ok(etag) = std::str::from_utf8(etag) else { return false };
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_that_differ_follow_in_the_order_in_which_they_are_filled() {
        for bits in 0..8 {
            let shape = HeaderShape::of_index(bits);
            let own = [
                shape.has_tag.then_some(ETAG),
                Some(REVISION),
                shape.has_flag.then_some(FLAG_REVISION),
                Some(STALE),
            ];
            let names = shape.prepared().iter().skip(shape.same_for_all()).map(|(name, _)| name);
            assert!(names.eq(own.iter().flatten()), "shape {bits}");
        }
    }
}

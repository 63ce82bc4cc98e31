//! The headers of every answer of a feed, also of one that refuses.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde_json::Value as Json;

use crate::http::error::ApiError;
use crate::http::headers::{FLAG_REVISION, TIME};
use crate::http::public::ResponseBuilder;
use crate::http::state::PublicState;
use crate::snapshot::Snapshot;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// The number of headers of a page.
const HEADERS: usize = 8;

/// What an answer about a flag's streams is made from.
pub struct FeedAnswer<'s> {
    pub state: &'s PublicState,
    pub snapshot: &'s Snapshot,
    pub flag: &'s str,
}

impl FeedAnswer<'_> {
    /// A page, or 304 where its reader holds it already.
    pub fn page(&self, body: Bytes, etag: &str, is_held: bool, has_events: bool) -> Response<Body> {
        let body = if is_held { Body::empty() } else { Body::from(body) };
        let mut response = Response::new(body);
        if is_held {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        if !is_held {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(CACHE_CONTROL, if has_events { NO_STORE } else { NO_CACHE });
        if let Ok(etag) = HeaderValue::from_str(etag) {
            headers.insert(ETAG, etag);
        }
        self.builder().describe(headers);
        self.describe(headers);
        response
    }

    pub fn json(&self, body: &Json) -> Response<Body> {
        let mut response = self.builder().json(StatusCode::OK, body.to_string(), None);
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        self.describe(response.headers_mut());
        response
    }

    pub fn refuse(&self, refusal: &ApiError) -> Response<Body> {
        let mut response = refusal.problem(self.state);
        if matches!(refusal, ApiError::StreamReset(_) | ApiError::CursorExpired(_)) {
            response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        }
        if let Some(changed_at) = self.builder().flag_changed_at
            && let Ok(changed_at) = HeaderValue::from_bytes(changed_at)
        {
            response.headers_mut().insert(FLAG_REVISION, changed_at);
        }
        self.describe(response.headers_mut());
        response
    }

    fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(VARY, HeaderValue::from_static("authorization, x-api-key"));
        headers.insert(TIME, (self.state.clock.wall_ms().max(0) as u64).into());
    }

    fn builder(&self) -> ResponseBuilder<'_> {
        let flag_changed_at = self.snapshot.flag(self.flag).map(|flag| flag.changed_at());
        ResponseBuilder { state: self.state, snapshot: self.snapshot, flag_changed_at }
    }
}

//! The headers of every answer of a feed, also of one that refuses.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde::Serialize;

use crate::http::error::ApiError;
use crate::http::headers::{FLAG_REVISION, REVISION, STALE, TIME};
use crate::http::public::ResponseBuilder;
use crate::http::rate_limit::{self, RATE_LIMIT, RATE_LIMIT_POLICY};
use crate::http::state::PublicState;
use crate::quota::{Decision, Policy};
use crate::snapshot::Snapshot;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");
const CREDENTIALS: HeaderValue = HeaderValue::from_static("authorization, x-api-key");

/// What an answer about a flag's streams is made from.
pub struct FeedAnswer<'s> {
    pub state: &'s PublicState,
    pub snapshot: &'s Snapshot,
    pub flag: &'s str,
    /// What its user has left, where there is a limit.
    pub left: Option<Decision>,
}

impl FeedAnswer<'_> {
    /// A page, or 304 where its reader holds it already.
    pub fn page(&self, body: Bytes, etag: &str, is_held: bool, has_events: bool) -> Response<Body> {
        let body = if is_held { Body::empty() } else { Body::from(body) };
        let mut response = Response::new(body);
        if is_held {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let changed_at = self.builder().flag_changed_at;
        let mut headers = prepared(is_held, has_events, self.left.is_some()).clone();
        for (name, value) in &mut headers {
            let text = match () {
                () if *name == ETAG => etag.as_bytes(),
                () if *name == REVISION => self.snapshot.position_text(),
                () if *name == FLAG_REVISION => changed_at.map_or(&[][..], |text| text),
                () if *name == TIME => {
                    *value = self.time();
                    continue;
                }
                () if *name == STALE => {
                    *value = self.builder().stale();
                    continue;
                }
                () if *name == RATE_LIMIT => {
                    if let Some(left) = self.left {
                        *value = rate_limit::left_field(left);
                    }
                    continue;
                }
                () => continue,
            };
            if let Ok(text) = HeaderValue::from_bytes(text) {
                *value = text;
            }
        }
        if changed_at.is_none() {
            headers.remove(FLAG_REVISION);
        }
        *response.headers_mut() = headers;
        response
    }

    pub fn json(&self, body: &impl Serialize) -> Response<Body> {
        let body = serde_json::to_vec(body).unwrap_or_default();
        let mut response = self.builder().json(StatusCode::OK, body, None);
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
        headers.insert(VARY, CREDENTIALS);
        headers.insert(TIME, self.time());
        if let Some(left) = self.left {
            rate_limit::describe(headers, left);
        }
    }

    fn time(&self) -> HeaderValue {
        (self.state.clock.wall_ms().max(0) as u64).into()
    }

    fn builder(&self) -> ResponseBuilder<'_> {
        let flag_changed_at = self.snapshot.flag(self.flag).map(|flag| flag.changed_at());
        ResponseBuilder { state: self.state, snapshot: self.snapshot, flag_changed_at }
    }
}

/// The headers of a page, with empty values where those differ between pages. A copy of a map costs
/// a third of one that is built header by header.
fn prepared(is_held: bool, has_events: bool, is_limited: bool) -> &'static HeaderMap {
    static PREPARED: LazyLock<[HeaderMap; 8]> = LazyLock::new(|| {
        std::array::from_fn(|bits| page_headers(bits & 1 != 0, bits & 2 != 0, bits & 4 != 0))
    });
    &PREPARED[usize::from(is_held) | usize::from(has_events) << 1 | usize::from(is_limited) << 2]
}

fn page_headers(is_held: bool, has_events: bool, is_limited: bool) -> HeaderMap {
    const EMPTY: HeaderValue = HeaderValue::from_static("");
    let mut headers = HeaderMap::new();
    if !is_held {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(CACHE_CONTROL, if has_events { NO_STORE } else { NO_CACHE });
    for name in [ETAG, REVISION, FLAG_REVISION, STALE] {
        headers.insert(name, EMPTY);
    }
    headers.insert(VARY, CREDENTIALS);
    headers.insert(TIME, EMPTY);
    if is_limited {
        headers.insert(RATE_LIMIT_POLICY, rate_limit::policy_field(Policy::Feed));
        headers.insert(RATE_LIMIT, EMPTY);
    }
    headers
}

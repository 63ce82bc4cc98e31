//! The body of a response for every flag, put together one window at a time, as its client takes it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::outcomes::{CLOSE, END, Every, OPEN};
use crate::document::Pick;
use crate::http::public::caller::Caller;
use crate::http::public::response::{ResponseBuilder, if_none_match};
use crate::http::server::Weight;
use crate::snapshot::FlagSnapshot;

/// How many bytes are put together at a time.
pub const WINDOW_BYTES: usize = 8 * 1024;
/// Memory that a waiting response takes per flag: its outcome, and its entry in a list that may
/// belong to an older snapshot.
const WAITING_BYTES_A_FLAG: usize = size_of::<Pick>() + size_of::<Arc<FlagSnapshot>>();

impl Every {
    /// Memory it takes while it waits to be taken.
    pub fn waiting_bytes(&self) -> usize {
        2 * WINDOW_BYTES + WAITING_BYTES_A_FLAG * self.evaluated()
    }

    /// The body, one window at a time.
    pub fn windows(self: Arc<Every>) -> Windows {
        Windows { left: self.len(), every: self, next: 0 }
    }

    /// The response to a caller who asked for every flag.
    pub fn answer(
        self,
        answer: &ResponseBuilder<'_>,
        headers: &HeaderMap,
        tagged: Tagged,
        caller: &Caller,
    ) -> Response<Body> {
        self.answered();
        let stranger = caller.is_stranger();
        let tag = (tagged != Tagged::Never).then(|| self.etag());
        let matched = tagged == Tagged::AndCompared
            && tag.as_ref().is_some_and(|tag| if_none_match(headers, tag));
        let tag = tag.as_ref().map(|tag| (tag, matched));
        let mut windows = Arc::new(self).windows();
        let Some(weight) = windows.weight(stranger).filter(|_| !matched) else {
            let whole = if matched { Bytes::new() } else { windows.next().unwrap_or_default() };
            return answer.json(StatusCode::OK, whole, tag);
        };
        let mut response = answer.json(StatusCode::OK, Body::new(windows), tag);
        response.extensions_mut().insert(weight);
        response
    }
}

/// Whether a response has a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    Never,
    /// With a tag; a client that holds this tag already gets the body again.
    Always,
    /// With a tag; a client that holds this tag already gets a 304.
    AndCompared,
}

/// The body of a response for every flag.
#[derive(Debug)]
pub struct Windows {
    every: Arc<Every>,
    next: usize,
    left: usize,
}

impl Windows {
    /// Memory the windows take until they are taken, if that is more than one window.
    pub fn weight(&self, stranger: bool) -> Option<Weight> {
        (self.left > WINDOW_BYTES).then(|| Weight { bytes: self.every.waiting_bytes(), stranger })
    }
}

impl Iterator for Windows {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let Every { entries, picks, form, beside, .. } = &*self.every;
        // The last document exceeds the window: few have more than a kilobyte.
        let mut window = Vec::with_capacity(self.left.min(WINDOW_BYTES + 1024));
        if self.next == 0 {
            window.extend_from_slice(OPEN);
        }
        while window.len() < WINDOW_BYTES && self.next < entries.len() {
            if self.next > 0 {
                window.push(b',');
            }
            let pick = picks.get(self.next).copied().unwrap_or_default();
            if let Some(document) = entries[self.next].picked(pick) {
                window.extend_from_slice(document.bytes(*form));
            }
            self.next += 1;
        }
        if self.next == entries.len() {
            window.extend_from_slice(CLOSE);
            window.extend_from_slice(beside);
            window.extend_from_slice(END);
        }
        self.left = self.left.saturating_sub(window.len());
        Some(window.into())
    }
}

impl HttpBody for Windows {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|window| Ok(Frame::data(window))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

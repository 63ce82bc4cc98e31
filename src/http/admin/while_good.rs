//! A response is shown to a credential only for as long as the credential is good: one that was
//! revoked or has expired while its reading waited, worked or was written learns nothing more.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use axum::http::Response;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::answer::refuse;
use super::state::AdminState;
use crate::auth::Caller;
use crate::http::error::ApiError;
use crate::ledger::ContentHash;

/// A credential that was good when the head of a request arrived.
#[derive(Clone)]
pub struct Shown {
    /// The hash of its secret.
    pub hash: ContentHash,
    pub caller: Caller,
}

/// The credential of a response ended before all of it was written.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the credential ended before the whole answer was written")]
struct Ended;

impl Shown {
    /// Whether the credential still is what it was.
    pub fn is_still_good(&self, state: &AdminState) -> bool {
        state
            .operators
            .judge_hash(self.hash, state.coordinator.clock().now())
            .is_ok_and(|now| now == self.caller)
    }

    /// A response to this credential, of which nothing more is written once it has ended.
    pub fn only_while_good(
        self,
        state: &AdminState,
        answer: Response<AnyBody>,
    ) -> Response<AnyBody> {
        if !self.is_still_good(state) {
            return refuse(state, &ApiError::NoToken);
        }
        let state = state.clone();
        answer.map(|body| {
            AnyBody::new(WhileGood { body, is_good: move || self.is_still_good(&state) })
        })
    }
}

/// A body that breaks off once its credential has ended.
struct WhileGood<F> {
    body: AnyBody,
    is_good: F,
}

impl<F: Fn() -> bool + Unpin> Body for WhileGood<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.is_end_stream() && !(self.is_good)() {
            self.body = AnyBody::empty();
            return Poll::Ready(Some(Err(axum::Error::new(Ended))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

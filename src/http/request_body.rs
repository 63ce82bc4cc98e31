//! Reads the body of a request, within the bounds of what is incoming.

use std::error::Error;
use std::future::poll_fn;
use std::iter::successors;
use std::pin::Pin;
use std::task::Poll;

use axum::body::{Body, Bytes, HttpBody};
use bytes::BytesMut;
use hyper::body::Frame;
use tokio::task::yield_now;

use super::bad_request::BadRequest;
use super::incoming_bodies::{Coming, IncomingBody};

/// The most bytes a request's body may have.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// A longer body takes time to read, for which others on the same thread wait: requests that
/// arrived meanwhile come first.
const QUICK_BYTES: usize = 4 * 1024;

/// Reads a body of at most [`MAX_BODY_BYTES`]. A body that comes in pieces is copied together as it
/// arrives: a client that sends it byte by byte costs no more than its bytes, and is counted among
/// the incoming bodies.
pub async fn body(
    incoming_questions: &IncomingBody,
    stranger: bool,
    body: Body,
) -> Result<Bytes, BadRequest> {
    body_up_to(MAX_BODY_BYTES, incoming_questions, stranger, body).await
}

/// Reads a body of at most `max` bytes, in the same way.
pub async fn body_up_to(
    max: usize,
    incoming_questions: &IncomingBody,
    stranger: bool,
    mut body: Body,
) -> Result<Bytes, BadRequest> {
    let too_large = || BadRequest::TooLarge(format!("the body has more than {max} bytes"));
    if body.size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    let mut coming: Option<Coming> = None;
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = next(&mut body, &mut coming, incoming_questions, stranger).await? {
        let Ok(piece) = frame.into_data() else { continue };
        if whole.len() + pieces.len() + piece.len() > max {
            return Err(too_large());
        }
        if whole.is_empty() && pieces.is_empty() {
            whole = piece;
        } else {
            pieces.extend_from_slice(&std::mem::take(&mut whole));
            pieces.extend_from_slice(&piece);
        }
        if let Some(coming) = &coming {
            coming.has(whole.len() + pieces.len());
        }
    }
    let whole = if pieces.is_empty() { whole } else { pieces.freeze() };
    if whole.len() > QUICK_BYTES {
        yield_now().await;
    }
    Ok(whole)
}

/// The next piece of a body. If it has to be waited for, the body counts as one that comes in
/// pieces.
async fn next(
    body: &mut Body,
    coming: &mut Option<Coming>,
    incoming_questions: &IncomingBody,
    stranger: bool,
) -> Result<Option<Frame<Bytes>>, BadRequest> {
    poll_fn(|cx| {
        let frame = Pin::new(&mut *body).poll_frame(cx);
        if frame.is_pending()
            && coming
                .get_or_insert_with(|| incoming_questions.in_pieces(stranger))
                .poll_cut(cx)
                .is_ready()
        {
            return Poll::Ready(Err(BadRequest::Crowded));
        }
        frame.map(|frame| frame.transpose().map_err(|error| body_error(&error)))
    })
    .await
}

fn body_error(error: &(dyn Error + 'static)) -> BadRequest {
    let mut causes = successors(Some(error), |cause: &&(dyn Error + 'static)| (*cause).source());
    let too_slow = causes.find_map(|cause| cause.downcast_ref().copied());
    too_slow.map_or(BadRequest::Incomplete, BadRequest::TooSlow)
}

//! A long response is written one piece at a time: between two pieces every other connection that
//! is ready has its turn, a command above all.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// How many bytes are written at once. Copying them takes some ten microseconds.
const PIECE_BYTES: usize = 64 * 1024;

/// A body of these bytes.
pub fn in_pieces(bytes: Bytes) -> AnyBody {
    if bytes.len() <= PIECE_BYTES {
        AnyBody::from(bytes)
    } else {
        AnyBody::new(Pieces { rest: bytes, gave_one: false })
    }
}

struct Pieces {
    rest: Bytes,
    /// Whether a piece was just given: the other tasks have their turn before the next.
    gave_one: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if std::mem::take(&mut self.gave_one) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.gave_one = true;
        let length = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[allow(clippy::panic, clippy::unwrap_used)]
#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn others_have_their_turn_between_two_pieces() {
        let bytes: Bytes = vec![7; 2 * PIECE_BYTES + 1].into();
        let mut body = in_pieces(bytes.clone());
        let mut poll = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        let (mut read, mut yields) = (Vec::new(), 0);
        loop {
            match poll() {
                Poll::Ready(Some(frame)) => {
                    read.extend_from_slice(&frame.unwrap().into_data().unwrap());
                }
                Poll::Ready(None) => break,
                Poll::Pending => yields += 1,
            }
        }
        assert_eq!((read.len(), yields), (bytes.len(), 2));
        assert!(read == bytes);
    }
}

//! A socket that records what its client does: whether it sends, and whether it takes what is sent.
//! It decides nothing.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::limits::LINGER_BYTES;

/// Unwanted bytes are read in pieces of this size: as few as may be, on the stack.
const SCRAP_BYTES: usize = 16 * 1024;

pub struct TrackedStream<S> {
    stream: S,
    activity: Arc<Activity>,
    /// What is read before the socket: a request that was postponed.
    ahead: Bytes,
    /// How many bytes may still be thrown away after the last response.
    linger_bytes: usize,
}

impl<S: AsyncRead + Unpin> TrackedStream<S> {
    pub fn new(stream: S, activity: Arc<Activity>, ahead: Bytes) -> TrackedStream<S> {
        TrackedStream { stream, activity, ahead, linger_bytes: LINGER_BYTES }
    }

    pub fn into_stream(self) -> S {
        self.stream
    }

    /// What is ahead of the socket and not read.
    pub fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Reads and discards bytes, until the client has noticed that this is the end.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scrap = [MaybeUninit::uninit(); SCRAP_BYTES];
        while self.linger_bytes > 0 {
            let mut scrap = ReadBuf::uninit(&mut scrap);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut scrap))?;
            match scrap.filled().len() {
                0 => break,
                read => self.linger_bytes = self.linger_bytes.saturating_sub(read),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let bytes = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(bytes));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let came = buffer.filled().len() - before;
        if came > 0 {
            self.activity.heard(came);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TrackedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.wrote(written.is_ready());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.activity.wrote(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes the write side, and reads on for a while: closing a socket with unread bytes resets
    /// it, and takes back the last response.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.activity.lingering();
        self.poll_linger(cx)
    }
}

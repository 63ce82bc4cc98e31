//! How the bytes of a stream get out: one piece at a time, and nothing behind it. A client that takes nothing costs one event, and is
//! given up after a while.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::limits::MAX_HEARD_BYTES;

pub struct Outlet {
    socket: TcpStream,
    /// What goes out with the first piece, in one packet.
    head: Bytes,
    rest: Bytes,
    /// Since when the client has taken nothing.
    stuck_since_ms: Option<u64>,
    heard: usize,
    /// Its client said that it sends nothing more. It may be gone altogether, or still read: the two look the same until something is written.
    half_closed: bool,
}

impl Outlet {
    pub fn new(socket: TcpStream, head: Bytes) -> Outlet {
        Outlet { socket, head, rest: Bytes::new(), stuck_since_ms: None, heard: 0, half_closed: false }
    }

    /// What is to be written next; whatever was before it is out.
    pub fn put(&mut self, bytes: Bytes) {
        debug_assert!(self.rest.is_empty(), "one piece at a time");
        self.rest = match std::mem::take(&mut self.head) {
            head if head.is_empty() => bytes,
            head => [head, bytes].concat().into(),
        };
    }

    /// Whether the client takes nothing, and since when.
    pub fn stuck_since_ms(&self) -> Option<u64> {
        self.stuck_since_ms
    }

    /// Writes what there is to write.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, now_ms: u64) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.rest.advance(written);
                    self.stuck_since_ms = None;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.stuck_since_ms.get_or_insert(now_ms);
                    return Poll::Pending;
                }
            }
        }
        // Lets go of an event that is shared.
        self.rest = Bytes::new();
        Poll::Ready(Ok(()))
    }

    /// Ready when the client has gone, or says more than anybody has to say here.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scrap = [0; 512];
        while !self.half_closed && self.heard <= MAX_HEARD_BYTES {
            let mut scrap = ReadBuf::new(&mut scrap);
            if ready!(Pin::new(&mut self.socket).poll_read(cx, &mut scrap)).is_err() {
                return Poll::Ready(());
            }
            self.half_closed = scrap.filled().is_empty();
            self.heard += scrap.filled().len();
        }
        match self.half_closed && !self.is_reset() {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }

    /// Whether the client sends nothing more. From then on no reading wakes the stream: it has to look by itself.
    pub fn is_half_closed(&self) -> bool {
        self.half_closed
    }

    /// Whether the client's system refused something that was written: nobody reads there any more.
    fn is_reset(&self) -> bool {
        !matches!(SockRef::from(&self.socket).take_error(), Ok(None))
    }

    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Says that this was all.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.socket).poll_shutdown(cx).map(drop)
    }
}

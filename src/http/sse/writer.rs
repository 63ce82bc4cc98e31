//! How the bytes of a stream are written: one event at a time, with none queued behind it. The
//! state of all flags is put together one window at a time, as the client takes it; what waits is
//! counted with everything else that waits. A client that takes nothing is given up after a while,
//! or sooner where there is no room.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::event::END;
use super::limits::MAX_HEARD_BYTES;
use crate::http::public::Windows;
use crate::http::server::{Activity, Client, Holding};

pub struct SseWriter {
    socket: TcpStream,
    client: Client,
    /// The response head; it is sent with the first piece, in one packet.
    head: Bytes,
    rest: Bytes,
    /// The state of all flags, sent after `rest`.
    state: Option<State>,
    /// Since when the client has taken nothing.
    stuck_since_ms: Option<u64>,
    heard: usize,
    /// The client said that it sends nothing more. It may be gone altogether, or still read: the
    /// two look the same until something is written.
    half_closed: bool,
}

/// What is to be written: ready bytes, and perhaps the state of all flags behind them.
#[derive(Debug)]
pub struct Event {
    pub bytes: Bytes,
    pub state: Option<Windows>,
    pub stranger: bool,
}

/// The state of all flags while it is being written.
struct State {
    windows: Windows,
    /// Counts the state while it waits to be taken.
    _holding: Option<Holding<Activity>>,
}

impl Event {
    pub fn ready(bytes: Bytes) -> Event {
        Event { bytes, state: None, stranger: true }
    }
}

impl SseWriter {
    pub fn new(socket: TcpStream, client: Client, head: Bytes) -> SseWriter {
        SseWriter {
            socket,
            client,
            head,
            rest: Bytes::new(),
            state: None,
            stuck_since_ms: None,
            heard: 0,
            half_closed: false,
        }
    }

    /// Sets what is to be written next; everything before it is written.
    pub fn queue(&mut self, event: Event) {
        debug_assert!(self.rest.is_empty() && self.state.is_none(), "one event at a time");
        self.rest = match std::mem::take(&mut self.head) {
            head if head.is_empty() => event.bytes,
            head => [head, event.bytes].concat().into(),
        };
        self.state = event.state.map(|windows| {
            let weight = windows.weight(event.stranger);
            State { _holding: weight.map(|weight| self.client.holds(weight)), windows }
        });
    }

    /// Since when the client has taken nothing; `None` while it takes bytes.
    pub fn stuck_since_ms(&self) -> Option<u64> {
        self.stuck_since_ms
    }

    /// Writes what is queued.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, now_ms: u64) -> Poll<io::Result<()>> {
        while self.has_more() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.rest.advance(written);
                    self.stuck_since_ms = None;
                    self.client.wrote(true);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.stuck_since_ms.get_or_insert(now_ms);
                    self.client.wrote(false);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether anything is left to write. Bytes that are written are released: they may be shared.
    fn has_more(&mut self) -> bool {
        if self.rest.is_empty() {
            self.rest = match self.state.as_mut().map(|state| state.windows.next()) {
                None => Bytes::new(),
                Some(Some(window)) => window,
                Some(None) => {
                    self.state = None;
                    END
                }
            };
        }
        !self.rest.is_empty()
    }

    /// Ready when the client has gone, or sends more than a client of a stream may.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scrap = [0; 512];
        while !self.half_closed && self.heard <= MAX_HEARD_BYTES {
            let mut scrap = ReadBuf::new(&mut scrap);
            if ready!(Pin::new(&mut self.socket).poll_read(cx, &mut scrap)).is_err() {
                return Poll::Ready(());
            }
            self.half_closed = scrap.filled().is_empty();
            self.heard += scrap.filled().len();
        }
        if self.half_closed && !self.is_reset() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether the client sends nothing more. From then on the socket never becomes readable again:
    /// the stream has to check by itself.
    pub fn is_half_closed(&self) -> bool {
        self.half_closed
    }

    /// Whether the client's system refused something that was written: no client reads there any
    /// more.
    fn is_reset(&self) -> bool {
        !matches!(SockRef::from(&self.socket).take_error(), Ok(None))
    }

    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Ends the response.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.socket).poll_shutdown(cx).map(drop)
    }
}

//! How a response takes its connection over: the head is written as any other, and from then on the
//! socket belongs to the response.
//!
//! A response that lasts for hours needs no parser, no buffers and no state machine for requests
//! that never come: without them a stream costs a tenth of the memory, and a message is one write.
//! A route asks for it by an extension of the response, so that layers around the routes add their
//! headers as they always do.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::Response;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::activity::Activity;
use super::budget::{Holding, Weight};
use super::house::Unread;
use super::postponed::Later;
use super::signal::ConnectionSignal;
use crate::clock;

/// What happens on a connection that was taken over, until it ends. It returns the socket, which is
/// closed when its turn comes.
pub type Run = Pin<Box<dyn Future<Output = TcpStream> + Send>>;

/// An extension of a response: its body is whatever this writes. The body ends with the connection.
#[derive(Clone)]
pub struct Hijack(Arc<Mutex<Option<Begin>>>);

type Begin = Box<dyn FnOnce(HijackedConnection) -> Run + Send>;

/// A connection that was taken over.
pub struct HijackedConnection {
    pub socket: TcpStream,
    /// The head of the response, to be written before anything else.
    pub head: Bytes,
    /// How long a client may take nothing of what waits for it.
    pub write: Duration,
    pub leave: DrainSignal,
    pub client: Client,
}

/// Records whether the client of a connection that was taken over takes what is sent to it.
pub struct Client {
    pub(super) activity: Arc<Activity>,
    pub(super) unread: Arc<Unread>,
}

/// Receives the signal that a connection is to leave.
pub struct DrainSignal {
    /// `None` once it was signalled.
    pub(super) signal: Option<oneshot::Receiver<ConnectionSignal>>,
}

/// Where the service leaves a response that takes the connection over, and the connection finds it.
#[derive(Clone, Default)]
pub struct Handover(Arc<Mutex<Option<Left>>>);

/// What the service leaves in the place of a response.
pub enum Left {
    /// The head of the response, and what writes the rest.
    TakeOver(Bytes, Hijack),
    Later(Later),
}

impl Hijack {
    pub fn new(run: impl FnOnce(HijackedConnection) -> Run + Send + 'static) -> Hijack {
        Hijack(Arc::new(Mutex::new(Some(Box::new(run)))))
    }

    /// The body of a response that has none: a HEAD request for a stream.
    pub fn of_nothing() -> Hijack {
        Hijack(Arc::default())
    }

    pub(super) fn start(&self, taken: HijackedConnection) -> Option<Run> {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(run(taken))
    }
}

impl Client {
    /// Records that the client took bytes, or took none.
    pub fn wrote(&self, some: bool) {
        self.activity.wrote(some);
    }

    /// Counts bytes that wait for the client, until the returned value is dropped.
    pub fn holds(&self, Weight { bytes, stranger }: Weight) -> Holding<Activity> {
        self.unread.hold(self.activity.clone(), bytes, stranger)
    }
}

impl DrainSignal {
    /// Ready when the connection is to leave: at a stop, or because its client takes nothing. A
    /// client that takes what its stream sends is never cut to make room.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(signal) = &mut self.signal else { return Poll::Ready(()) };
        ready!(Pin::new(signal).poll(cx)).ok();
        self.signal = None;
        Poll::Ready(())
    }
}

impl Handover {
    pub fn leave<B>(&self, response: &Response<B>, take_over: Hijack) {
        self.put(Left::TakeOver(head(response), take_over));
    }

    pub fn postpone(&self, later: Later) {
        self.put(Left::Later(later));
    }

    fn put(&self, left: Left) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
    }

    pub fn is_left(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub fn take(&self) -> Option<Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Hijack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hijack")
    }
}

/// A response's first line and headers (RFC 9112 §4, §5). Without a length or an encoding the body
/// lasts until the connection ends (§6.3).
fn head<B>(response: &Response<B>) -> Bytes {
    let status = response.status();
    let mut head = format!(
        "HTTP/1.1 {} {}\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or_default()
    )
    .into_bytes();
    let mut line = |name: &str, value: &[u8]| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    // The routes add the length of the body they know of, which is empty.
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        line(name.as_str(), value.as_bytes());
    }
    line(CONNECTION.as_str(), b"close");
    line(DATE.as_str(), httpdate::fmt_http_date(clock::wall()).as_bytes());
    head.extend_from_slice(b"\r\n");
    head.into()
}

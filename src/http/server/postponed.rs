//! How an answer is postponed: the connection gives its parser and its buffers back, waits, and then
//! takes the same request in again.
//!
//! A request that waits for half a minute needs no parser meanwhile: without it, it costs a third of
//! the memory. What is answered in the end is decided when it is answered, by the same code as any
//! other request: a credential that ended in between is refused, a stream that is gone is gone.
//! A route asks for it by an extension of its response.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::signal::ConnectionSignal;

/// What a request waits for.
pub type Until = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An extension of a response: there is none yet. The connection takes the request in again when
/// what it waits for is there, when its client sends something or leaves, and when the server stops.
#[derive(Clone)]
pub struct Postponed(Arc<Mutex<Option<Later>>>);

/// A request that is taken in later.
pub struct Later {
    /// Its head, as it is read then.
    pub head: Vec<u8>,
    pub until: Until,
}

/// An extension of a request that was postponed: it is answered now.
#[derive(Clone, Copy, Debug)]
pub struct Resumed;

impl Postponed {
    pub fn new(head: Vec<u8>, until: impl Future<Output = ()> + Send + 'static) -> Postponed {
        Postponed(Arc::new(Mutex::new(Some(Later { head, until: Box::pin(until) }))))
    }

    pub(super) fn take(&self) -> Option<Later> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Later {
    /// Waits; returns the head, and what the connection was signalled meanwhile.
    pub async fn wait(
        self,
        stream: &TcpStream,
        signalled: &mut oneshot::Receiver<ConnectionSignal>,
    ) -> (Vec<u8>, Option<ConnectionSignal>) {
        let Later { head, mut until } = self;
        let signal = poll_fn(|cx| {
            if let Poll::Ready(signal) = Pin::new(&mut *signalled).poll(cx) {
                return Poll::Ready(Some(signal.unwrap_or(ConnectionSignal::Stop)));
            }
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            // Its next request, or its end.
            stream.poll_peek(cx, &mut ReadBuf::new(&mut [0])).map(|_| None)
        });
        (head, signal.await)
    }
}

impl fmt::Debug for Postponed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postponed")
    }
}

//! Questions that are still arriving or waiting: bodies that come in pieces, and whole ones that
//! wait for their turn. All of them together may take a bounded number of bytes; over the bound,
//! the one that has taken longest is cut, strangers first. A client that sends its question at once
//! never meets this bound.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::server::{Budget, Holder, Holding};

/// The most bytes that incoming questions may take, and how many of these may be strangers'.
pub const MAX_ARRIVING_BYTES: usize = 64 * 1024 * 1024;
pub const MAX_ARRIVING_BYTES_OF_STRANGERS: usize = 32 * 1024 * 1024;
/// What a body that comes in pieces costs besides its bytes: the parser's buffer.
const PARSER_BYTES: usize = 8 * 1024;
/// What a question that waits for its turn costs besides what is kept of it: its connection, with
/// parser and buffers, and the response in the making.
const WAITING_BYTES: usize = 24 * 1024;
/// A growing buffer is up to this many times as large as its content.
const GROWTH: usize = 2;

/// All incoming questions.
#[derive(Debug)]
pub struct IncomingBody {
    budget: Arc<Budget<Sender>>,
    opened: Instant,
}

/// The sender of one question.
struct Sender {
    since_ms: u64,
    cut: Mutex<Option<oneshot::Sender<()>>>,
}

/// One incoming question.
pub struct Coming {
    holding: Holding<Sender>,
    cut_signal: oneshot::Receiver<()>,
}

impl Default for IncomingBody {
    fn default() -> IncomingBody {
        IncomingBody {
            budget: Arc::new(Budget::new(MAX_ARRIVING_BYTES, MAX_ARRIVING_BYTES_OF_STRANGERS)),
            opened: Instant::now(),
        }
    }
}

impl IncomingBody {
    /// Registers a body that comes in pieces.
    pub fn in_pieces(&self, stranger: bool) -> Coming {
        self.enter(PARSER_BYTES, stranger)
    }

    /// Registers a question that waits for its turn, of which so many bytes are kept.
    pub fn in_line(&self, bytes: usize, stranger: bool) -> Coming {
        self.enter(WAITING_BYTES + bytes, stranger)
    }

    fn enter(&self, bytes: usize, stranger: bool) -> Coming {
        let (cut, cut_signal) = oneshot::channel();
        let since_ms = self.opened.elapsed().as_millis() as u64;
        let sender = Sender { since_ms, cut: Mutex::new(Some(cut)) };
        Coming { holding: self.budget.hold(Arc::new(sender), bytes, stranger), cut_signal }
    }

    /// How many bytes incoming questions take.
    pub fn bytes(&self) -> usize {
        self.budget.bytes()
    }

    /// How many were cut.
    pub fn cut(&self) -> u64 {
        self.budget.cut()
    }
}

impl Holder for Sender {
    fn waits_since(&self) -> Option<u64> {
        Some(self.since_ms)
    }

    fn cut(&self) -> bool {
        let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner).take();
        cut.is_some_and(|cut| cut.send(()).is_ok())
    }
}

impl Coming {
    /// Records how many bytes of the body have arrived.
    pub fn has(&self, bytes: usize) {
        self.holding.resize(PARSER_BYTES + GROWTH * bytes);
    }

    /// Ready when this question has to make room.
    pub fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        std::pin::Pin::new(&mut self.cut_signal).poll(cx).map(drop)
    }

    /// Returns when this question has to make room.
    pub async fn cut(&mut self) {
        std::future::poll_fn(|cx| self.poll_cut(cx)).await;
    }
}

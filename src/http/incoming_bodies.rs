//! Questions on their way: bodies that come in pieces, and whole ones that wait until it is their
//! turn. All of them together may take so many bytes; over it the one goes that has been on its way
//! for longest, strangers first. Whoever sends a question at once never meets this.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::server::{Budget, Holder, Holding};

/// The most bytes that questions on their way may take, and how many of these those of strangers
/// may.
pub const MAX_ARRIVING_BYTES: usize = 64 * 1024 * 1024;
pub const MAX_ARRIVING_BYTES_OF_STRANGERS: usize = 32 * 1024 * 1024;
/// What a body costs that comes in pieces, beside what came of it: the parser's buffer.
const PARSER_BYTES: usize = 8 * 1024;
/// What a question costs that waits for its turn, beside what is kept of it: its connection, with
/// parser and buffers, and the answer in the making.
const WAITING_BYTES: usize = 24 * 1024;
/// A buffer that grows is up to so many times as large as what is in it.
const GROWTH: usize = 2;

/// All questions on their way.
#[derive(Debug)]
pub struct IncomingBody {
    budget: Arc<Budget<Sender>>,
    opened: Instant,
}

/// Whoever sends one.
struct Sender {
    since_ms: u64,
    cut: Mutex<Option<oneshot::Sender<()>>>,
}

/// One question on its way.
pub struct Coming {
    holding: Holding<Sender>,
    told: oneshot::Receiver<()>,
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
    /// A body that comes in pieces.
    pub fn in_pieces(&self, stranger: bool) -> Coming {
        self.enter(PARSER_BYTES, stranger)
    }

    /// A question that waits for its turn, of which so many bytes are kept.
    pub fn in_line(&self, bytes: usize, stranger: bool) -> Coming {
        self.enter(WAITING_BYTES + bytes, stranger)
    }

    fn enter(&self, bytes: usize, stranger: bool) -> Coming {
        let (cut, told) = oneshot::channel();
        let since_ms = self.opened.elapsed().as_millis() as u64;
        let sender = Sender { since_ms, cut: Mutex::new(Some(cut)) };
        Coming { holding: self.budget.hold(Arc::new(sender), bytes, stranger), told }
    }

    /// How many bytes are on their way.
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
    /// So many bytes of the body have come.
    pub fn has(&self, bytes: usize) {
        self.holding.resize(PARSER_BYTES + GROWTH * bytes);
    }

    /// Ready when it has to make room.
    pub fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        std::pin::Pin::new(&mut self.told).poll(cx).map(drop)
    }

    /// Comes back when it has to make room.
    pub async fn cut(&mut self) {
        std::future::poll_fn(|cx| self.poll_cut(cx)).await;
    }
}

//! What a connection is doing and since when. The connection's own task writes it; the accept loop
//! reads it when it needs room. It is two atomics without a lock, as every request passes here four
//! times. The one lock is only for signalling the connection to leave.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::budget::Holder;
use super::limits::{LINGER_AT_MOST, Limits, TAKES_NOTHING};
use super::signal::ConnectionSignal;

/// The steps of a request, and the idle time between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No request has begun.
    Idle,
    /// A part of a head has arrived.
    Head,
    /// The head has arrived, its body has not.
    Body,
    /// The request has arrived whole; the response is being made or sent.
    Answering,
    /// The last response is written; what still arrives is thrown away.
    Lingering,
}

#[derive(Debug)]
pub struct Activity {
    /// Times here are milliseconds after this instant.
    opened: Instant,
    /// The phase, how bytes arrived, and when the phase began.
    state: AtomicU64,
    /// Bytes that arrived of the head that is being read.
    came: AtomicUsize,
    /// When the client stopped taking bytes, plus one; 0 while it takes them.
    stuck: AtomicU64,
    /// Signals the connection to leave; `None` once it was signalled.
    signal: Mutex<Option<oneshot::Sender<ConnectionSignal>>>,
}

const PHASES: [Phase; 5] =
    [Phase::Idle, Phase::Head, Phase::Body, Phase::Answering, Phase::Lingering];
/// The lowest bits are the phase.
const PHASE: u64 = AHEAD - 1;
/// Bytes arrived ahead of their turn.
const AHEAD: u64 = 1 << 3;
/// A request did not arrive whole, and its rest did not follow at once.
const REST: u64 = 1 << 4;
const IN_PIECES: u64 = 1 << 5;
const SINCE: u32 = 6;

impl Activity {
    /// The activity of a connection that was just accepted, and the receiver on which the
    /// connection learns that it is to leave. All connections of a server count from the same
    /// instant.
    pub fn new(opened: Instant) -> (Activity, oneshot::Receiver<ConnectionSignal>) {
        let (sender, receiver) = oneshot::channel();
        let signal = Mutex::new(Some(sender));
        let activity = Activity {
            opened,
            state: AtomicU64::new(0),
            came: AtomicUsize::new(0),
            stuck: AtomicU64::new(0),
            signal,
        };
        activity.enter(Phase::Idle);
        (activity, receiver)
    }

    /// Signals the connection to leave; false if it was signalled before, or has gone.
    pub fn signal(&self, signal: ConnectionSignal) -> bool {
        let sender = self.signal.lock().unwrap_or_else(PoisonError::into_inner).take();
        sender.is_some_and(|sender| sender.send(signal).is_ok())
    }

    /// Whether the connection can no longer be signalled.
    pub fn is_leaving(&self) -> bool {
        self.signal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_none_or(oneshot::Sender::is_closed)
    }

    pub fn phase(&self) -> Phase {
        PHASES.get((self.state.load(Relaxed) & PHASE) as usize).copied().unwrap_or(Phase::Idle)
    }

    /// Records bytes that arrived from the client.
    pub fn heard(&self, bytes: usize) {
        let before = if self.phase() == Phase::Head { self.came() } else { 0 };
        self.came.store(before + bytes, Relaxed);
        match self.phase() {
            Phase::Idle => self.enter(Phase::Head),
            // The start of the next request, sent ahead.
            Phase::Answering => self.mark(AHEAD),
            Phase::Head | Phase::Body if self.is_marked(REST) => self.mark(IN_PIECES),
            Phase::Head | Phase::Body => self.mark(REST),
            Phase::Lingering => {}
        }
    }

    /// Whether a request arrives in pieces. A client that sends its head and its body apart, as
    /// many do, does not count.
    pub fn is_coming_in_pieces(&self) -> bool {
        self.is_marked(IN_PIECES) && matches!(self.phase(), Phase::Head | Phase::Body)
    }

    /// How many bytes arrived of the head that is being read.
    pub fn came(&self) -> usize {
        self.came.load(Relaxed)
    }

    /// Records that a head is whole. The time its request has been arriving counts on.
    pub fn request_head_read(&self) {
        self.go_on_to(Phase::Body);
    }

    /// Records that a request is whole, or that its body no longer matters.
    pub fn answering(&self) {
        self.go_on_to(Phase::Answering);
    }

    /// Records that a response was handed over, to the last byte.
    pub fn answered(&self) {
        self.enter(if self.is_marked(AHEAD) { Phase::Head } else { Phase::Idle });
    }

    pub fn lingering(&self) {
        if self.phase() != Phase::Lingering {
            self.enter(Phase::Lingering);
        }
    }

    /// Records that the client took bytes, or took none.
    pub fn wrote(&self, some: bool) {
        match (some, self.stuck.load(Relaxed)) {
            (true, 1..) => {
                self.stuck.store(0, Relaxed);
                // While it took nothing, it could not be heard either.
                if let phase @ (Phase::Idle | Phase::Head) = self.phase() {
                    self.enter(phase);
                }
            }
            (false, 0) => self.stuck.store(self.now() + 1, Relaxed),
            _ => {}
        }
    }

    /// Whether the client takes nothing of what waits for it.
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Relaxed) != 0
    }

    /// Since when the client has taken nothing of what waits for it.
    pub fn stuck_since(&self) -> Option<u64> {
        self.stuck.load(Relaxed).checked_sub(1)
    }

    /// Whether that has lasted so long that this connection leaves before any other (law 9).
    pub fn takes_nothing(&self) -> bool {
        let long = TAKES_NOTHING.as_millis() as u64;
        self.stuck_since().is_some_and(|since| since + long <= self.now())
    }

    /// Since when this connection owes its client nothing: a time to order by, or `None` while it
    /// is answering.
    pub fn idle_since(&self) -> Option<u64> {
        let answering = self.phase() == Phase::Answering || self.is_stuck();
        (!answering).then(|| self.since())
    }

    /// Whether no request has begun and nothing waits to be taken.
    pub fn is_idle(&self) -> bool {
        self.phase() == Phase::Idle && !self.is_stuck()
    }

    /// When the connection's time limit ends, if nothing happens until then. The body has a timer
    /// of its own, so that its client gets an error response.
    pub fn ends_at(&self, limits: &Limits, resting: bool) -> Option<Instant> {
        if let Some(since) = self.stuck_since() {
            return Some(self.at(since) + limits.write);
        }
        let patience = match self.phase() {
            Phase::Idle if resting => limits.idle,
            Phase::Idle => limits.idle.min(limits.header),
            Phase::Head => limits.header,
            Phase::Lingering => LINGER_AT_MOST,
            Phase::Body | Phase::Answering => return None,
        };
        Some(self.at(self.since()) + patience)
    }

    /// The current time, to order by.
    pub fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX >> SINCE)
    }

    /// Since when the connection is in its current phase.
    pub fn since(&self) -> u64 {
        self.state.load(Relaxed) >> SINCE
    }

    fn at(&self, since: u64) -> Instant {
        self.opened + Duration::from_millis(since)
    }

    fn enter(&self, phase: Phase) {
        self.state.store(self.now() << SINCE | phase as u64, Relaxed);
    }

    /// Enters a phase, keeping the time and how bytes arrived.
    fn go_on_to(&self, phase: Phase) {
        self.state.store(self.state.load(Relaxed) & !PHASE | phase as u64, Relaxed);
    }

    fn mark(&self, how: u64) {
        self.state.store(self.state.load(Relaxed) | how, Relaxed);
    }

    fn is_marked(&self, how: u64) -> bool {
        self.state.load(Relaxed) & how != 0
    }
}

impl Holder for Activity {
    fn waits_since(&self) -> Option<u64> {
        self.stuck_since()
    }

    fn cut(&self) -> bool {
        self.signal(ConnectionSignal::Cut)
    }
}

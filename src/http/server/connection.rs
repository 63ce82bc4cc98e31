//! One connection, from its first byte to its last: speaks HTTP/1.1 on it until its client goes, a
//! time limit ends, or it is signalled to leave. What the connection is doing stands in its
//! `Activity`; how long each step may take stands in `Limits`.
//!
//! Each connection has one timer, set for the earliest moment at which a limit could be over. A
//! request sets no timer: when the timer fires too early, because something happened meanwhile, it
//! is set anew. hyper's own timer for heads is off, as that one also runs while no request has
//! begun, and would cut an idle client after seconds.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::ReadBuf;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;
use super::heads::{self, Heads};
use super::hijack::{Client, DrainSignal, Handover, HijackedConnection, Left};
use super::house::House;
use super::limits::{DRAIN_AT_MOST, Limits, MAX_HEAD_BYTES};
use super::service::exchange;
use super::signal::ConnectionSignal;
use super::tracked_stream::TrackedStream;

pub async fn run(
    mut stream: TcpStream,
    peer: IpAddr,
    house: Arc<House>,
    activity: Arc<Activity>,
    mut signalled: oneshot::Receiver<ConnectionSignal>,
) {
    let House { limits, exit, .. } = &*house;
    // Responses are small and must not wait to be joined with others.
    let _ = stream.set_nodelay(true);
    let mut clock = Deadline::of(&activity, *limits);
    // A request that was postponed, to be taken in again.
    let mut ahead = Bytes::new();
    while !ahead.is_empty() || await_request(&stream, &mut clock, &mut signalled).await {
        let handover = Handover::default();
        let resumed = !ahead.is_empty();
        let service = exchange(house.clone(), peer, activity.clone(), handover.clone(), resumed);
        let wire = TrackedStream::new(stream, activity.clone(), std::mem::take(&mut ahead));
        let wire = TokioIo::new(wire);
        let mut serving = Box::new(protocol().serve_connection(wire, service));
        clock.resting = false;
        let end =
            serve(&mut *serving, &house.heads, &activity, &mut clock, &mut signalled, &handover)
                .await;
        if end == Served::Closed {
            // It can no longer be signalled, so the accept loop does not count on it to make room.
            drop(signalled);
            return leave(serving, exit).await;
        }
        let parts = serving.into_parts();
        let (was_signalled, left) = match end {
            Served::TakenOver { was_signalled } => (was_signalled, handover.take()),
            Served::Idle | Served::Closed => (false, None),
        };
        if let Some(Left::Later(later)) = left {
            let wire = parts.io.into_inner();
            let rest = [&parts.read_buf[..], wire.ahead()].concat();
            stream = wire.into_stream();
            drop((parts.read_buf, parts.service));
            let (head, signal) = if was_signalled || !rest.is_empty() {
                (later.head, was_signalled.then_some(ConnectionSignal::Stop))
            } else {
                later.wait(&stream, &mut signalled).await
            };
            match signal {
                Some(ConnectionSignal::Cut) => break,
                Some(signal) => signalled = signal.again(),
                None => {}
            }
            ahead = if rest.is_empty() { head.into() } else { [head, rest].concat().into() };
            continue;
        }
        if let Some(Left::TakeOver(head, take_over)) = left {
            let socket = parts.io.into_inner().into_stream();
            // What is no longer needed is dropped first: a stream may last for hours.
            drop((parts.read_buf, parts.service, clock));
            let leave_when = DrainSignal { signal: (!was_signalled).then_some(signalled) };
            let unread = house.unread.clone();
            let taken = HijackedConnection {
                socket,
                head,
                write: limits.write,
                leave: leave_when,
                client: Client { activity, unread },
            };
            if let Some(run) = take_over.start(taken) {
                leave(run.await, exit).await;
            }
            return;
        }
        // The beginning of a head that came in the same packet as the request before it, and never
        // ended.
        if !parts.read_buf.is_empty() {
            return;
        }
        stream = parts.io.into_inner().into_stream();
    }
    drop(signalled);
    leave(stream, exit).await;
}

/// The same for an abstract socket, with the same bounds. It keeps its parser while it is idle, as
/// there are few of these connections, and no response takes it over.
pub async fn run_local(
    stream: UnixStream,
    peer: IpAddr,
    house: Arc<House>,
    activity: Arc<Activity>,
    mut signalled: oneshot::Receiver<ConnectionSignal>,
) {
    let (mut clock, handover) = (Deadline::of(&activity, house.limits), Handover::default());
    let service = exchange(house.clone(), peer, activity.clone(), handover.clone(), false);
    let wire = TokioIo::new(TrackedStream::new(stream, activity.clone(), Bytes::new()));
    let mut serving = Box::new(protocol().serve_connection(wire, service));
    serve(&mut *serving, &house.heads, &activity, &mut clock, &mut signalled, &handover).await;
    drop(signalled);
    leave(serving, &house.exit).await;
}

fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .header_read_timeout(None)
        // A client that says at once that it sends nothing more still wants its response (RFC 9112
        // §9.6).
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES);
    protocol
}

/// Closes a connection when its turn comes. Closing is work for the system, done on the threads
/// that answer: when thousands are closed at once, they leave one by one, so that requests which
/// arrive meanwhile are answered in between and not behind all of them.
async fn leave<Connection>(connection: Connection, exit: &Semaphore) {
    let _turn = exit.acquire().await;
    drop(connection);
}

/// Waits until a request begins; false if that never happens. An idle connection costs little: no
/// parser and no buffer.
async fn await_request(
    stream: &TcpStream,
    clock: &mut Deadline<'_>,
    signalled: &mut oneshot::Receiver<ConnectionSignal>,
) -> bool {
    clock.resting = true;
    let asked = poll_fn(|cx| match stream.poll_peek(cx, &mut ReadBuf::new(&mut [0])) {
        Poll::Ready(seen) => Poll::Ready(seen.is_ok_and(|bytes| bytes > 0)),
        Poll::Pending if Pin::new(&mut *signalled).poll(cx).is_ready() => Poll::Ready(false),
        Poll::Pending => clock.poll_expired(cx).map(|()| false),
    });
    asked.await
}

/// How serving ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    Closed,
    /// For now: no request has begun.
    Idle,
    /// A response has taken the connection over.
    TakenOver {
        was_signalled: bool,
    },
}

async fn serve<C: GracefulConnection + Unpin>(
    serving: &mut C,
    heads: &Arc<Heads>,
    activity: &Arc<Activity>,
    clock: &mut Deadline<'_>,
    signalled: &mut oneshot::Receiver<ConnectionSignal>,
    handover: &Handover,
) -> Served {
    let (mut leaving, mut stepped_back) = (false, false);
    let mut long_head = None;
    poll_fn(|cx| {
        // A client that sends a request in pieces has each piece read after the others had their
        // turn.
        stepped_back = !stepped_back && clock.activity.is_coming_in_pieces();
        if stepped_back {
            let _woken_again = pin!(yield_now()).poll(cx);
            return Poll::Pending;
        }
        loop {
            // A connection that breaks needs no report: its client broke it.
            if Pin::new(&mut *serving).poll(cx).is_ready() {
                return Poll::Ready(Served::Closed);
            }
            heads::count(heads, activity, &mut long_head);
            // Only when every byte of the responses before it is written: bytes in the parser would
            // be lost with it.
            if handover.is_left() && !clock.activity.is_stuck() {
                return Poll::Ready(Served::TakenOver { was_signalled: leaving });
            }
            if !leaving && let Poll::Ready(signal) = Pin::new(&mut *signalled).poll(cx) {
                let at_once = match signal {
                    Ok(ConnectionSignal::MakeRoom) => {
                        clock.activity.idle_since().is_some() || clock.activity.takes_nothing()
                    }
                    Ok(ConnectionSignal::Cut) => true,
                    Ok(ConnectionSignal::Stop) | Err(_) => clock.activity.is_idle(),
                };
                if at_once {
                    return Poll::Ready(Served::Closed);
                }
                leaving = true;
                clock.at_the_latest = Some(Instant::now() + DRAIN_AT_MOST);
                Pin::new(&mut *serving).graceful_shutdown();
                continue;
            }
            let over = clock.poll_expired(cx);
            return over.map(|()| {
                if clock.activity.is_idle() && !leaving { Served::Idle } else { Served::Closed }
            });
        }
    })
    .await
}

/// Fires when one of a connection's time limits ends.
struct Deadline<'a> {
    activity: &'a Activity,
    limits: Limits,
    /// While a connection is being served, it counts as idle only for as long as a head may take;
    /// then it goes to rest.
    resting: bool,
    at_the_latest: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl<'a> Deadline<'a> {
    fn of(activity: &'a Activity, limits: Limits) -> Deadline<'a> {
        let sleep = Box::pin(sleep_until(Instant::now() + limits.idle));
        Deadline { activity, limits, resting: true, at_the_latest: None, sleep }
    }

    fn ends_at(&self) -> Option<Instant> {
        let ends_at = self.activity.ends_at(&self.limits, self.resting);
        ends_at.into_iter().chain(self.at_the_latest).min()
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let ends_at = self.ends_at();
            if let Some(ends_at) = ends_at.filter(|ends_at| *ends_at < self.sleep.deadline()) {
                self.sleep.as_mut().reset(ends_at);
            }
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            match ends_at {
                Some(ends_at) if ends_at <= now => return Poll::Ready(()),
                Some(ends_at) => self.sleep.as_mut().reset(ends_at),
                // No limit can end while a response is being made; look again later.
                None => {
                    let later = now + self.limits.idle;
                    self.sleep.as_mut().reset(later);
                }
            }
        }
    }
}

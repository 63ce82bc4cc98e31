//! One connection, from its first byte to its last: speaks HTTP/1.1 on it until its client goes, its patience ends, or it is told to
//! leave. What it is doing stands in its `Activity`; how long each thing may take in `Limits`.
//!
//! There is one timer to a connection, set for the earliest moment at which something could be over. A request sets nothing: when the
//! timer rings too early, because something happened meanwhile, it is set anew. hyper's own timer for heads is off, as it also runs
//! while nothing is asked, and would cut an idle client after seconds.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::{Activity, Phase};
use super::exchange::exchange;
use super::limits::{DRAIN_AT_MOST, Limits, MAX_HEAD_BYTES};
use super::wire::Wire;

/// What a connection is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Leave, unless an answer is under way.
    MakeRoom,
    /// Finish what was asked, then leave.
    Stop,
}

pub async fn run(
    stream: TcpStream,
    routes: Router,
    limits: Limits,
    activity: Arc<Activity>,
    mut told: oneshot::Receiver<Order>,
) {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let mut clock = pin!(Clock::of(&activity, limits));
    // A connection on which nothing was ever asked costs no more than this.
    let asked = poll_fn(|cx| match stream.poll_read_ready(cx) {
        Poll::Ready(ready) => Poll::Ready(ready.is_ok()),
        Poll::Pending if Pin::new(&mut told).poll(cx).is_ready() => Poll::Ready(false),
        Poll::Pending => clock.as_mut().poll_over(cx).map(|()| false),
    });
    if !asked.await {
        return;
    }

    let service = exchange(routes, activity.clone(), limits.body);
    let wire = TokioIo::new(Wire::new(stream, activity.clone()));
    let serving = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(wire, service);
    let mut serving = Box::pin(serving);
    let mut leaving = false;
    poll_fn(|cx| {
        loop {
            // A connection that breaks is its client's affair.
            if serving.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if !leaving && let Poll::Ready(order) = Pin::new(&mut told).poll(cx) {
                let order = order.unwrap_or(Order::Stop);
                match (order, activity.phase()) {
                    (_, Phase::Idle) | (Order::MakeRoom, Phase::Head | Phase::Body | Phase::Lingering) => {
                        return Poll::Ready(());
                    }
                    _ => {
                        leaving = true;
                        clock.as_mut().end_by(Instant::now() + DRAIN_AT_MOST);
                        serving.as_mut().graceful_shutdown();
                        continue;
                    }
                }
            }
            return clock.as_mut().poll_over(cx);
        }
    })
    .await;
}

/// Rings when a connection's patience ends.
struct Clock<'a> {
    activity: &'a Activity,
    limits: Limits,
    at_the_latest: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl<'a> Clock<'a> {
    fn of(activity: &'a Activity, limits: Limits) -> Clock<'a> {
        let first = activity.ends_at(&limits).unwrap_or_else(|| Instant::now() + limits.idle);
        Clock { activity, limits, at_the_latest: None, sleep: Box::pin(sleep_until(first)) }
    }

    fn end_by(mut self: Pin<&mut Self>, latest: Instant) {
        self.at_the_latest = Some(latest);
    }

    fn poll_over(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let ends_at = self.activity.ends_at(&self.limits).into_iter().chain(self.at_the_latest).min();
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
                // Nothing can be over while an answer is being made; look again later.
                None => {
                    let later = now + self.limits.idle;
                    self.sleep.as_mut().reset(later);
                }
            }
        }
    }
}

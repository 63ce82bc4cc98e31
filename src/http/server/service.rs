//! One request and its response, as they pass: records how far they are, and gives up on a body
//! that does not arrive.
//!
//! The routes see a body that fails with [`TooSlow`], and answer that as any other error of a body.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body as AnyBody, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap};
use hyper::service::{HttpService, service_fn};
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep};
use tracing::{Level, debug};

use super::activity::{Activity, Phase};
use super::budget::{Holding, Weight};
use super::hijack::{Handover, Hijack};
use super::house::House;
use super::limits::UNCOUNTED_BYTES;
use super::postponed::{Postponed, Resumed};
use crate::telemetry::target;

/// The body took longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body did not arrive within {} ms", .0.as_millis())]
pub struct TooSlow(pub Duration);

/// The service of one connection; its first request may be one that was postponed.
pub fn exchange(
    house: Arc<House>,
    peer: IpAddr,
    activity: Arc<Activity>,
    handover: Handover,
    resumed: bool,
) -> impl HttpService<Incoming, ResBody = ResponseBody, Error = Infallible, Future: Send> {
    let resumed = AtomicBool::new(resumed);
    service_fn(move |mut request: Request<Incoming>| {
        if resumed.load(Relaxed) {
            resumed.store(false, Relaxed);
            request.extensions_mut().insert(Resumed);
        }
        let head_only = request.method() == Method::HEAD;
        // Nothing arrived since the last response, so this request came together with the one
        // before.
        let ahead = activity.phase() == Phase::Idle;
        let (body_time, routes) = (house.limits.body, &house.routes);
        let route = routes.counts().find(routes.path(request.uri()));
        let method =
            tracing::enabled!(target: target::HTTP, Level::DEBUG).then(|| request.method().clone());
        let answer = if names_one_host(request.version(), request.headers()) {
            routes.answer(request.map(|body| with_time_limit(body, &activity, body_time)), peer)
        } else {
            Box::pin(std::future::ready(routes.refuse_host(request.uri())))
        };
        let (activity, handover, house) = (activity.clone(), handover.clone(), house.clone());
        async move {
            // A client that sends many requests at once has them answered between those of others,
            // and not all before them.
            if ahead {
                yield_now().await;
            }
            let mut response = answer.await;
            if let Some(later) = response.extensions().get().and_then(Postponed::take) {
                handover.postpone(later);
                // Nothing comes from here: the same request is taken in again.
                return std::future::pending().await;
            }
            activity.answering();
            house.routes.counts().count(route, response.status());
            if let Some(method) = method {
                log_request(&method, house.routes.counts().template(route), response.status());
            }
            if let Some(take_over) = response.extensions_mut().remove::<Hijack>() {
                if head_only {
                    // A HEAD request: the stream has no length, and none has begun.
                    response.headers_mut().remove(CONTENT_LENGTH);
                    return Ok(response.map(|body| ResponseBody {
                        body,
                        activity,
                        _holding: None,
                    }));
                }
                handover.leave(&response, take_over);
                // Nothing more comes from here: the response takes the connection over.
                return std::future::pending().await;
            }
            let holding = weight(&response)
                .map(|weight| house.unread.hold(activity.clone(), weight.bytes, weight.stranger));
            Ok(response.map(|body| ResponseBody { body, activity, _holding: holding }))
        }
    })
}

/// Logs one event per request, without the values of its path and its query.
fn log_request(method: &Method, route: &str, status: StatusCode) {
    let (method, code) = (method.as_str(), status.as_u16());
    debug!(
        target: target::HTTP,
        { http.request.method = method, http.route = route, http.response.status_code = code },
        "{method} {route}: {code}"
    );
}

/// Whether a request says which host it is for as RFC 9112 §3.2 wants it: at most once, in HTTP/1.1
/// at least once, and in the characters of a host. Where two hosts are named, a proxy and this
/// server could each believe a different one.
fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return version != Version::HTTP_11 };
    // Headers hardly ever repeat, and then this needs no second look-up of the host.
    let once = headers.len() == headers.keys_len() || headers.get_all(HOST).iter().nth(1).is_none();
    once && host.as_bytes().iter().all(|byte| IN_A_HOST[usize::from(*byte)])
}

/// The bytes that may stand in a host and its port. A comma may not: intermediaries join two header
/// lines into one with it.
const IN_A_HOST: [bool; 256] = {
    let mut may = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        may[byte] = matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')
            || matches!(
                byte as u8,
                b'.' | b'-'
                    | b':'
                    | b'['
                    | b']'
                    | b'_'
                    | b'~'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b';'
                    | b'='
            );
        byte += 1;
    }
    may
};

/// The memory a response takes until it is taken, if that is worth counting.
fn weight(response: &Response<AnyBody>) -> Option<Weight> {
    if let Some(weight) = response.extensions().get::<Weight>() {
        return Some(*weight);
    }
    let bytes = response.body().size_hint().lower();
    (bytes > UNCOUNTED_BYTES)
        .then(|| Weight { bytes: usize::try_from(bytes).unwrap_or(usize::MAX), stranger: true })
}

fn with_time_limit(body: Incoming, activity: &Arc<Activity>, time: Duration) -> AnyBody {
    if body.is_end_stream() {
        activity.answering();
        return AnyBody::empty();
    }
    activity.request_head_read();
    AnyBody::new(RequestBody { body, activity: activity.clone(), time, patience: None })
}

/// A request's body, with a time limit.
struct RequestBody {
    body: Incoming,
    activity: Arc<Activity>,
    time: Duration,
    /// Only bodies that do not arrive with their head cost a timer.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // Checked first, so that a client that drips bytes without end is cut as soon as a silent
        // one.
        if self.patience.as_mut().is_some_and(|patience| patience.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(Err(TooSlow(self.time).into())));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() && self.patience.is_none() {
            let time = self.time;
            let patience = self.patience.insert(Box::pin(sleep(time)));
            // The timer has to be polled once, or it would not wake this task.
            if patience.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Err(TooSlow(time).into())));
            }
        }
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.activity.answering();
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body; dropped when its last byte was handed over.
pub struct ResponseBody {
    body: AnyBody,
    activity: Arc<Activity>,
    _holding: Option<Holding<Activity>>,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.activity.answered();
    }
}

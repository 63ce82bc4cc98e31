//! A long poll: one that finds nothing waits for an event, or until something else is to be said.
//!
//! What is waited for is looked at once more after the wait has begun, so that nothing is missed
//! between the look and the wait. In the end the request is taken in again, and answered as any
//! other (`server/postponed.rs`).

use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONNECTION, HOST, IF_NONE_MATCH, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderName, Response, Version};
use tokio::time::{Instant, sleep_until};

use super::held_polls::HeldPlace;
use crate::auth::random_number;
use crate::feeds::{EventPage, PollQuery, Watched};
use crate::flag::FlagKey;
use crate::http::bearer::API_KEY;
use crate::http::public::Caller;
use crate::http::server::Postponed;
use crate::http::state::PublicState;
use crate::snapshot::{Position, Snapshot};

/// What is kept of a poll's head; a cookie is not.
const KEPT: [HeaderName; 6] = [HOST, AUTHORIZATION, API_KEY, IF_NONE_MATCH, ORIGIN, CONNECTION];
/// The most bytes of it; a poll with more is answered at once.
const MAX_KEPT_BYTES: usize = 4 * 1024;

/// A poll that found nothing.
pub struct IdlePoll<'p> {
    pub state: &'p PublicState,
    pub snapshot: &'p Snapshot,
    pub flag: &'p str,
    pub head: &'p Parts,
    pub caller: &'p Caller,
    pub query: &'p PollQuery<'p>,
    pub page: &'p EventPage,
    /// The stream, as it was before it was looked at.
    pub watched: Watched,
}

/// What a held poll waits for.
struct Wait {
    state: PublicState,
    watched: Watched,
    caller: Caller,
    flag: FlagKey,
    live_since: Option<Position>,
    longest: Duration,
    _place: HeldPlace,
}

impl IdlePoll<'_> {
    /// Holds the poll, if there is room.
    pub fn hold(self) -> Option<Response<Body>> {
        let IdlePoll { state, snapshot, flag, head, caller, query, page, watched } = self;
        if query.wait_ms == 0 || page.events > 0 || page.ended {
            return None;
        }
        let (epoch, position) = page.end;
        // `now` and `tail` are the place where they were at the first look.
        let cursor = state.feeds.cursor(watched.key(), epoch, position);
        let target = format!("{}?cursor={cursor}&limit={}", head.uri.path(), query.limit);
        let kept = kept(head, &target)?;
        let user = match caller {
            Caller::User(session) => session.subject(),
            Caller::Server(_) | Caller::Plain => None,
        };
        let place = state.held_polls.place(user.map(|user| user.as_str()))?;
        let wait = Wait {
            state: state.clone(),
            watched,
            caller: caller.clone(),
            flag: flag.parse().ok()?,
            live_since: live_since(snapshot, flag),
            longest: Duration::from_millis(query.wait_ms.into()),
            _place: place,
        };
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Postponed::new(kept, wait.run()));
        Some(response)
    }
}

impl Wait {
    async fn run(self) {
        let Wait { state, watched, caller, flag, live_since: seen, longest, _place } = self;
        let hub = &state.hub;
        let now = || state.clock.now();
        let longest = caller.lives_for(now()).map_or(longest, |lives| lives.min(longest));
        let mut end = pin!(sleep_until(Instant::now() + longest));
        let mut news = pin!(watched.changed());
        let flag_news = hub.flag_news().of(&flag);
        let mut flag_changed = pin!(flag_news.notified());
        flag_changed.as_mut().enable();
        let mut is_ending = live_since(&state.live.current(), flag.as_str()) != seen;
        if is_ending {
            let soon = Instant::now() + spread(&state.live.current(), flag.as_str());
            let earlier = end.deadline().min(soon);
            end.as_mut().reset(earlier);
        }
        loop {
            let mut credentials = pin!(hub.credentials_changed().notified());
            credentials.as_mut().enable();
            if !caller.is_still_let_in(&state.authenticator, now) {
                return;
            }
            tokio::select! {
                () = &mut news => return,
                () = &mut end => return,
                () = &mut credentials => {}
                () = &mut flag_changed, if !is_ending => {
                    is_ending = true;
                    let soon = Instant::now() + spread(&state.live.current(), flag.as_str());
                    let earlier = end.deadline().min(soon);
                    end.as_mut().reset(earlier);
                }
            }
        }
    }
}

fn live_since(snapshot: &Snapshot, flag: &str) -> Option<Position> {
    snapshot.flag(flag).map(|flag| flag.live_since())
}

/// A random part of the time over which clients spread what they do after a change of the flag.
fn spread(snapshot: &Snapshot, flag: &str) -> Duration {
    let flag = snapshot.flag(flag).and_then(|flag| flag.flag());
    let most =
        flag.map_or(0, |flag| flag.definition.transports.validity.enter_spread.as_millis() as u64);
    Duration::from_millis(random_number().unwrap_or_default() % (most + 1))
}

/// The head of the request as it is taken in again.
fn kept(head: &Parts, target: &str) -> Option<Vec<u8>> {
    let version = if head.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut kept = format!("{} {target} {version}\r\n", head.method).into_bytes();
    for name in &KEPT {
        for value in head.headers.get_all(name) {
            kept.extend_from_slice(name.as_str().as_bytes());
            kept.extend_from_slice(b": ");
            kept.extend_from_slice(value.as_bytes());
            kept.extend_from_slice(b"\r\n");
        }
    }
    kept.extend_from_slice(b"\r\n");
    kept.shrink_to_fit();
    (kept.len() <= MAX_KEPT_BYTES).then_some(kept)
}

//! The life of one stream: its head and first state, then every change, a heartbeat now and then,
//! and a goodbye.
//!
//! The session is woken by the hub, when a flag it follows has changed or its time has come, and by
//! its socket. On each wake it looks at the live snapshot: changes it missed in between do not
//! matter to its client.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::net::TcpStream;

use super::event::{CloseReason, StreamHello, goodbye};
use super::hub::{Hub, ms};
use super::limits::{
    HALF_CLOSED_LOOK, REALTIME_AGE, RETRY_MS, RETURN_A_SECOND, STUCK_LOOK, TICK, UNACKNOWLEDGED,
    WARNING,
};
use super::subscriber::{Subscriber, Update};
use super::writer::{Event, SseWriter};
use crate::auth::random_number;
use crate::convergence::StreamHandle;
use crate::http::realtime::{FeedEvent, FeedFollower};
use crate::http::server::{DrainSignal, HijackedConnection};
use crate::snapshot::Snapshot;

pub struct StreamSession {
    leave: DrainSignal,
    /// How long the client may take nothing, in milliseconds.
    write_ms: u64,
    writer: SseWriter,
    stream: StreamHandle,
    subscriber: Subscriber,
    /// The events of a realtime stream.
    feed: Option<Box<FeedFollower>>,
    hub: Arc<Hub>,
    next_beat_ms: u64,
    /// When to check next whether a client that sends nothing more has gone.
    looks_ms: Option<u64>,
    ends: (u64, CloseReason),
    /// When a realtime stream says that it ends soon; `None` once it did.
    warns_at_ms: Option<u64>,
    writing: Writing,
    /// The credential version under which the client was let in.
    credential_version: u64,
    chance: u64,
}

/// What is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Nothing,
    State,
    /// The state of a realtime stream whose strategy is another: nothing follows it but a goodbye.
    LastState,
    Heartbeat,
    Goodbye,
}

impl StreamSession {
    pub fn new(
        taken: HijackedConnection,
        stream: StreamHandle,
        subscriber: Subscriber,
        feed: Option<Box<FeedFollower>>,
        hub: Arc<Hub>,
    ) -> StreamSession {
        let HijackedConnection { socket, head, write, leave, client } = taken;
        // A client that vanished does not acknowledge; its bytes are not waited for.
        let _ = SockRef::from(&socket).set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let now_ms = hub.now_ms();
        let chance = random_number().unwrap_or_default();
        let limits = hub.limits();
        // A random part of the interval, so that streams opened together neither beat nor end
        // together.
        let next_beat_ms = now_ms + 1 + share(chance, ms(limits.heartbeat));
        let max_age_ms = ms(if feed.is_some() { REALTIME_AGE } else { limits.max_age });
        let age = (
            now_ms + max_age_ms - max_age_ms / 5
                + share(chance.rotate_left(16), max_age_ms * 2 / 5),
            CloseReason::Age,
        );
        let expiry = subscriber.caller().and_then(|caller| caller.lives_for(hub.moment()));
        let expiry =
            expiry.map(|lives_for| (now_ms.saturating_add(ms(lives_for)), CloseReason::Expired));
        let ends = expiry.filter(|expiry| expiry.0 < age.0).unwrap_or(age);
        // A stream that is short says so in the middle of its life.
        let warning_ms = ms(WARNING).min(ends.0.saturating_sub(now_ms) / 2);
        let warns_at_ms = feed.is_some().then(|| ends.0.saturating_sub(warning_ms));
        StreamSession {
            leave,
            write_ms: ms(write),
            writer: SseWriter::new(socket, client, head),
            stream,
            subscriber,
            feed,
            hub,
            next_beat_ms,
            looks_ms: None,
            ends,
            warns_at_ms,
            writing: Writing::Nothing,
            // The accepted credentials may have changed since the client was let in.
            credential_version: 0,
            chance,
        }
    }

    /// Runs until the client goes, the stream's time is over or the server stops. Returns the
    /// socket, which is still to be closed.
    pub async fn run(mut self) -> TcpStream {
        poll_fn(|cx| self.poll(cx)).await;
        self.writer.into_socket()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The first thing each time, so that no change is missed between looking and waiting.
        self.stream.set_waker(cx.waker());
        if self.writer.poll_closed(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let now_ms = self.hub.now_ms();
            match self.writer.poll_flush(cx, now_ms) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return self.poll_stuck(cx, now_ms),
            }
            match std::mem::replace(&mut self.writing, Writing::Nothing) {
                Writing::Goodbye => {
                    self.writing = Writing::Goodbye;
                    ready!(self.writer.poll_end(cx));
                    return Poll::Ready(());
                }
                Writing::State => self.stream.progress().sent(now_ms),
                Writing::LastState => {
                    self.stream.progress().sent(now_ms);
                    self.say_goodbye(CloseReason::Strategy);
                    continue;
                }
                Writing::Heartbeat if self.subscriber.is_acknowledged() => {
                    self.stream.progress().heartbeat_sent(now_ms);
                }
                Writing::Heartbeat | Writing::Nothing => {}
            }
            self.probe(now_ms);
            if !self.write_next(cx, now_ms) {
                let next_ms = self.next_beat_ms.min(self.ends.0);
                let next_ms = self.warns_at_ms.map_or(next_ms, |warns_ms| next_ms.min(warns_ms));
                self.stream
                    .schedule_at(self.looks_ms.map_or(next_ms, |looks_ms| next_ms.min(looks_ms)));
                return Poll::Pending;
            }
        }
    }

    /// Finds out whether a client that sends nothing more still reads: if it does not, its system
    /// refuses a heartbeat. That is checked for a moment later and then every second.
    fn probe(&mut self, now_ms: u64) {
        match self.looks_ms {
            None if self.writer.is_half_closed() => {
                self.next_beat_ms = now_ms;
                self.looks_ms = Some(now_ms + ms(TICK));
            }
            Some(looks_ms) if looks_ms <= now_ms => {
                self.looks_ms = Some(now_ms + ms(HALF_CLOSED_LOOK));
            }
            _ => {}
        }
    }

    /// Whether there is something to write now; if so, it is passed to the writer.
    fn write_next(&mut self, cx: &mut Context<'_>, now_ms: u64) -> bool {
        if self.leave.poll(cx).is_ready() {
            return self.say_goodbye(CloseReason::Stopping);
        }
        if self.stream.is_replaced() {
            return self.say_goodbye(CloseReason::Replaced);
        }
        let version = self.hub.credential_version();
        if self.credential_version != version {
            if self.subscriber.caller().is_some_and(|caller| {
                !caller.is_still_let_in(self.hub.authenticator(), || self.hub.moment())
            }) {
                return self.say_goodbye(CloseReason::Expired);
            }
            self.credential_version = version;
        }
        let snapshot = self.hub.live().current();
        if !self.subscriber.has_seen(&snapshot) {
            let snapshot = snapshot.clone();
            let looked_at = snapshot.position();
            let look = self.subscriber.look(&snapshot, &self.first());
            self.hub.wake_batcher().decided(self.subscriber.take_decided());
            match look {
                Update::Tell(position, event) => {
                    self.hub.wake_batcher().count_event();
                    self.stream.progress().sending(position, looked_at);
                    self.writer.queue(event);
                    self.writing = if self.must_leave() {
                        self.count_ended();
                        Writing::LastState
                    } else {
                        Writing::State
                    };
                    return true;
                }
                Update::Same => {
                    self.hub.wake_batcher().unchanged();
                    self.stream.progress().unchanged(looked_at, now_ms);
                }
                Update::Gone => return self.say_goodbye(CloseReason::UnknownFlag),
                Update::AsksMore => return self.say_goodbye(CloseReason::AsksMore),
            }
        }
        if now_ms >= self.ends.0 {
            let has_warned = self.feed.is_some() && self.warns_at_ms.is_none();
            return if has_warned { self.end() } else { self.say_goodbye(self.ends.1) };
        }
        if self.warns_at_ms.is_some_and(|warns_ms| now_ms >= warns_ms) {
            // Events may still come: the client opens its next stream first.
            self.warns_at_ms = None;
            self.writer.queue(Event::ready(goodbye(self.ends.1, share(self.chance, 1_000))));
            return true;
        }
        match self.feed.as_mut().and_then(|feed| feed.next(cx)) {
            Some(FeedEvent::Message(message)) => {
                self.writer.queue(Event::ready(message));
                return true;
            }
            Some(FeedEvent::End(why)) => return self.say_goodbye(why),
            None => {}
        }
        if now_ms >= self.next_beat_ms {
            self.next_beat_ms = now_ms + ms(self.hub.limits().heartbeat);
            let heartbeat = self.subscriber.heartbeat(self.hub.moment().wall_ms);
            self.writer.queue(Event::ready(heartbeat));
            self.writing = Writing::Heartbeat;
            return true;
        }
        false
    }

    /// Waits for a client that takes nothing, but not for ever, and not when the server stops.
    fn poll_stuck(&mut self, cx: &mut Context<'_>, now_ms: u64) -> Poll<()> {
        let given_up_ms = self.writer.stuck_since_ms().unwrap_or(now_ms) + self.write_ms;
        // A realtime stream ends with its token, whether its client takes anything or not.
        let given_up_ms =
            if self.feed.is_some() { given_up_ms.min(self.ends.0) } else { given_up_ms };
        if now_ms >= given_up_ms || self.leave.poll(cx).is_ready() || self.is_cut(cx) {
            return Poll::Ready(());
        }
        let looks_ms = self.feed.as_ref().map(|_| now_ms + ms(STUCK_LOOK));
        self.stream.schedule_at(looks_ms.map_or(given_up_ms, |looks| looks.min(given_up_ms)));
        Poll::Pending
    }

    /// Whether the stream has to end, although its client takes nothing: neither a revocation nor an
    /// operator's stop waits for a client.
    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        let is_refused = self.subscriber.caller().is_some_and(|caller| {
            !caller.is_still_let_in(self.hub.authenticator(), || self.hub.moment())
        });
        let Some(feed) = &mut self.feed else { return is_refused };
        if self.stream.is_replaced() || feed.is_cut(cx) {
            return true;
        }
        let snapshot = self.hub.live().current().clone();
        let is_left = !self.subscriber.would_be_realtime(&snapshot);
        if is_left && self.subscriber.is_realtime() {
            self.count_ended_at(&snapshot);
        }
        is_left || is_refused
    }

    /// Whether the strategy of a realtime stream is another now.
    fn must_leave(&self) -> bool {
        self.feed.is_some() && !self.subscriber.is_realtime()
    }

    fn count_ended(&self) {
        if let Some((flag, since)) = self.subscriber.flag() {
            self.hub.landed().ended(flag, since);
        }
    }

    fn count_ended_at(&self, snapshot: &Snapshot) {
        if let Some((flag, _)) = self.subscriber.flag()
            && let Some(entry) = snapshot.flag(flag.as_str())
        {
            self.hub.landed().ended(flag, entry.live_since());
        }
    }

    /// Ends without a further word.
    fn end(&mut self) -> bool {
        self.writing = Writing::Goodbye;
        true
    }

    fn say_goodbye(&mut self, why: CloseReason) -> bool {
        let after_ms = match why {
            CloseReason::AsksMore => {
                share(self.chance, self.hub.streams().count() as u64 * 1_000 / RETURN_A_SECOND)
            }
            CloseReason::Stopping => {
                250 + share(
                    self.chance,
                    1_000 + self.hub.streams().count() as u64 * 1_000 / RETURN_A_SECOND,
                )
            }
            CloseReason::Age | CloseReason::Expired | CloseReason::Strategy => {
                share(self.chance, 1_000)
            }
            CloseReason::EventsUnavailable => 2_000 + share(self.chance, 3_000),
            CloseReason::UnknownFlag
            | CloseReason::Ended
            | CloseReason::StreamNotFound
            | CloseReason::Replaced
            | CloseReason::Unknown => RETRY_MS.1,
        };
        self.writer.queue(Event::ready(goodbye(why, after_ms)));
        self.writing = Writing::Goodbye;
        true
    }

    fn first(&self) -> StreamHello {
        let (least, most) = RETRY_MS;
        StreamHello {
            ack_id: self.stream.name().to_string(),
            heartbeat_ms: ms(self.hub.limits().heartbeat),
            retry_ms: least + share(self.chance.rotate_left(32), most - least),
        }
    }
}

/// A random part of `of`: the low bits of `chance` as a fraction of it.
fn share(chance: u64, of: u64) -> u64 {
    ((u128::from(chance as u32) * u128::from(of)) >> 32) as u64
}

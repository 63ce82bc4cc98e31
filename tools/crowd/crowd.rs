//! All the streams: brings them in a few at a time, hands each what came for it, and lets those
//! whose stream ended come back when they may.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use mio::event::Event as Ready;
use mio::{Registry, Token};
use serde_json::{Value as Json, json};

use crate::answer::Answer;
use crate::calls::{Call, Calls, LINES, Purpose};
use crate::event::{Event, Kind};
use crate::noted::Noted;
use crate::reader::Heard;
use crate::settings::{Reading, Settings};
use crate::stream::{Left, Step, Stream};
use crate::told::Told;

/// The first token of the streams; those before are the waker's and the calls'.
const STREAMS: usize = 1 + LINES;
const SIP: Duration = Duration::from_secs(1);
/// How often newcomers are let in, where they come at a pace.
const PACE: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Come(usize),
    Acknowledge(usize),
    Sip(usize),
    Churn,
}

pub struct Crowd {
    settings: Settings,
    registry: Registry,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
    heard: Vec<Heard>,
    timers: BinaryHeap<Reverse<(Instant, Due)>>,
    coming: VecDeque<usize>,
    /// Connecting or asked.
    under_way: usize,
    open: usize,
    calls: Calls,
    answered: Vec<(Purpose, Option<Answer>)>,
    pub ack_within: Option<Duration>,
    pub noted: Noted,
    pub told: Told,
    pub last_document: Instant,
    pub checks: Checks,
    pub churn: Churn,
}

/// What came of asking what each stream should hold.
#[derive(Default)]
pub struct Checks {
    pub left: usize,
    pub same: usize,
    pub old: usize,
    pub failed: usize,
}

/// Clients that come and go.
#[derive(Default)]
pub struct Churn {
    pub left: usize,
    pub under_way: usize,
    a_second: usize,
}

impl Crowd {
    pub fn new(settings: Settings, registry: Registry) -> Crowd {
        let calls = Calls::to(settings.address, Token(1));
        Crowd {
            settings,
            registry,
            streams: Vec::new(),
            buffer: vec![0; 64 * 1024],
            heard: Vec::new(),
            timers: BinaryHeap::new(),
            coming: VecDeque::new(),
            under_way: 0,
            open: 0,
            calls,
            answered: Vec::new(),
            ack_within: None,
            noted: Noted::default(),
            told: Told::since(Instant::now(), 0, Default::default()),
            last_document: Instant::now(),
            checks: Checks::default(),
            churn: Churn::default(),
        }
    }

    /// So many streams more come, as fast as they may.
    pub fn invite(&mut self, streams: usize) {
        let known = self.streams.len();
        self.streams.extend((known..streams).map(|_| Stream::new()));
        self.coming.extend(known..streams);
        self.bring_in();
    }

    /// So many clients come at this pace, and leave: before they asked, after they asked, or when
    /// they were told.
    pub fn churn(&mut self, clients: usize, a_second: usize) {
        self.churn = Churn { left: clients, under_way: 0, a_second };
        self.timers.push(Reverse((Instant::now(), Due::Churn)));
    }

    /// Asks for every stream what it should hold by now.
    pub fn check(&mut self) {
        self.checks = Checks { left: self.streams.len(), ..Checks::default() };
        for number in 0..self.streams.len() {
            let call =
                Call::post(Purpose::Check(number), &self.settings.path, &self.question(number));
            self.calls.make(call, &self.registry, &mut self.answered);
        }
        self.take_answers();
    }

    pub fn mark(&mut self, since: Instant) {
        self.told = Told::since(since, self.told.mark + 1, self.noted.newest);
    }

    /// Streams that were told something on a connection that stands; of clients that read nothing,
    /// those that have asked.
    pub fn there(&self) -> usize {
        match self.settings.reading {
            Reading::All => self.open,
            Reading::Slow | Reading::Never => {
                self.streams.iter().filter(|stream| stream.step == Step::Asked).count()
            }
        }
    }

    pub fn report(&self) -> Json {
        let mut holds: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, tag) in self.streams.iter().filter_map(|stream| stream.holds.as_ref()) {
            *holds.entry(tag).or_default() += 1;
        }
        json!({ "streams": self.streams.len(), "open": self.there(), "holds": holds, "noted": self.noted.report() })
    }

    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    pub fn ready(&mut self, ready: &Ready) {
        match ready.token().0 {
            0 => {}
            line @ 1..STREAMS => {
                self.calls.go_on(line - 1, &self.registry, &mut self.answered);
                self.take_answers();
            }
            stream => self.go_on(stream - STREAMS, ready),
        }
    }

    pub fn ring(&mut self, now: Instant) {
        while let Some(Reverse((at, due))) =
            self.timers.peek().copied().filter(|Reverse((at, _))| *at <= now)
        {
            self.timers.pop();
            match due {
                Due::Come(number) => self.coming.push_back(number),
                Due::Acknowledge(number) => self.acknowledge(number),
                Due::Sip(number) => {
                    if self.streams[number].step == Step::Asked && !self.streams[number].sip() {
                        self.lose(number, Left::Ended);
                    } else {
                        self.timers.push(Reverse((at + SIP, due)));
                    }
                }
                Due::Churn => self.let_in(at),
            }
        }
        self.bring_in();
    }

    fn let_in(&mut self, at: Instant) {
        let now_due = (self.churn.a_second / 100).max(1).min(self.churn.left);
        for _ in 0..now_due {
            let free = self
                .streams
                .iter()
                .position(|stream| stream.step == Step::Away && stream.leaves_at.is_none());
            let number = free.unwrap_or(self.streams.len());
            if free.is_none() {
                self.streams.push(Stream::new());
            }
            let leaves_at = [Step::Connecting, Step::Asked, Step::Open][self.churn.left % 3];
            self.streams[number].leaves_at = Some(leaves_at);
            self.coming.push_back(number);
            self.churn.left -= 1;
            self.churn.under_way += 1;
        }
        if self.churn.left > 0 {
            self.timers.push(Reverse((at + PACE, Due::Churn)));
        }
    }

    fn bring_in(&mut self) {
        while self.under_way < self.settings.at_once
            && let Some(number) = self.coming.pop_front()
        {
            let small = self.settings.reading != Reading::All;
            let stream = &mut self.streams[number];
            match stream.connect(
                self.settings.address,
                number,
                small,
                &self.registry,
                Token(STREAMS + number),
            ) {
                Ok(()) => self.under_way += 1,
                Err(error) => {
                    *self.noted.failed.entry(error.kind().to_string()).or_default() += 1;
                    self.away(number, Left::Failed);
                }
            }
        }
    }

    fn go_on(&mut self, number: usize, ready: &Ready) {
        if self.streams[number].step == Step::Connecting {
            if self.streams[number].leaves_at == Some(Step::Connecting) {
                return self.lose(number, Left::Ended);
            }
            let request = self.request(number);
            if self.streams[number].ask(&request).is_err() {
                return self.lose(number, Left::Failed);
            }
            match self.settings.reading {
                Reading::All => {}
                Reading::Slow => {
                    self.timers.push(Reverse((Instant::now() + SIP, Due::Sip(number))));
                }
                Reading::Never => {}
            }
            if self.settings.reading != Reading::All {
                self.under_way -= 1;
            }
            if self.streams[number].leaves_at == Some(Step::Asked) {
                return self.lose(number, Left::Ended);
            }
        }
        if self.settings.reading == Reading::All {
            self.read(number, ready.is_read_closed());
        } else if ready.is_write_closed() || ready.is_error() {
            self.lose(number, Left::Ended);
        }
    }

    fn read(&mut self, number: usize, closed: bool) {
        let mut heard = std::mem::take(&mut self.heard);
        let more = self.streams[number].read(&mut self.buffer, closed, &mut heard);
        let now = Instant::now();
        let mut left = None;
        for heard in heard.drain(..) {
            match heard {
                Heard::Event(event) => left = self.hear(number, event, now).or(left),
                Heard::Head { status: 200, .. } => {}
                Heard::Head { status, retry_after } => {
                    *self.noted.failed.entry(status.to_string()).or_default() += 1;
                    left = Some(retry_after.map_or(Left::Failed, Left::Asked));
                }
            }
        }
        self.heard = heard;
        let step = self.streams[number].step;
        match (left, more) {
            (Some(left), _) => self.lose(number, left),
            (None, Ok(true)) if self.streams[number].leaves_at == Some(step) => {
                self.lose(number, Left::Ended);
            }
            (None, Ok(true)) => {}
            (None, _) => {
                self.lose(number, if step == Step::Open { Left::Ended } else { Left::Failed });
            }
        }
    }

    fn hear(&mut self, number: usize, event: Event, now: Instant) -> Option<Left> {
        let stream = &mut self.streams[number];
        let left = match &event.kind {
            Kind::Goodbye { after, .. } => Some(after.map_or(Left::Ended, Left::Asked)),
            _ => None,
        };
        let wants_ack = matches!(event.kind, Kind::Document | Kind::Heartbeat);
        if stream.step == Step::Asked && wants_ack {
            (self.under_way, self.open) = (self.under_way - 1, self.open + 1);
            stream.hear(event.retry);
        }
        if self.noted.take(stream, event) {
            self.last_document = now;
            if let Some((position, _)) = &stream.holds {
                self.told.note(now, *position, &mut stream.told_after);
            }
        }
        if let Some(within) =
            self.ack_within.filter(|_| wants_ack && !stream.ack_due && stream.ack_id.is_some())
        {
            stream.ack_due = true;
            self.timers
                .push(Reverse((now + within.mul_f64(fastrand::f64()), Due::Acknowledge(number))));
        }
        left
    }

    /// A connection is over.
    fn lose(&mut self, number: usize, left: Left) {
        let stream = &mut self.streams[number];
        match stream.step {
            Step::Away => return,
            Step::Connecting => self.under_way -= 1,
            Step::Asked if self.settings.reading == Reading::All => self.under_way -= 1,
            Step::Asked => {}
            Step::Open => (self.open, self.noted.ended) = (self.open - 1, self.noted.ended + 1),
        }
        stream.leave(&self.registry);
        if stream.leaves_at.is_none() && matches!(left, Left::Failed) {
            *self.noted.failed.entry("no answer".to_owned()).or_default() += 1;
        }
        self.away(number, left);
    }

    fn away(&mut self, number: usize, left: Left) {
        if self.streams[number].leaves_at.take().is_some() {
            self.churn.under_way -= 1;
            return;
        }
        let rude = (number as u64 * 37) % 100 < self.settings.rude;
        let after = self.streams[number].comes_back_after(left, rude);
        self.timers.push(Reverse((Instant::now() + after, Due::Come(number))));
    }

    fn acknowledge(&mut self, number: usize) {
        let stream = &mut self.streams[number];
        stream.ack_due = false;
        if let (Some(id), Some(seen)) = (&stream.ack_id, stream.seen) {
            let body = json!({ "ackId": id, "position": seen.to_string() }).to_string();
            self.calls.make(
                Call::post(Purpose::Acknowledge, "/v1/watch/ack", &body),
                &self.registry,
                &mut self.answered,
            );
            self.take_answers();
        }
    }

    fn take_answers(&mut self) {
        for (purpose, answer) in self.answered.drain(..) {
            let status = answer.as_ref().map_or(0, |answer| answer.status);
            match purpose {
                Purpose::Acknowledge => *self.noted.acknowledged.entry(status).or_default() += 1,
                Purpose::Check(number) => {
                    self.checks.left -= 1;
                    let held = self.streams[number].holds.as_ref().map(|(_, tag)| &**tag);
                    match (status, answer.and_then(|answer| answer.tag)) {
                        (200, Some(tag)) if held == Some(&tag) => self.checks.same += 1,
                        (200, Some(_)) => self.checks.old += 1,
                        _ => self.checks.failed += 1,
                    }
                }
            }
        }
    }

    fn question(&self, number: usize) -> String {
        format!(r#"{{"targetingKey":"{}{number}"}}"#, self.settings.keys)
    }

    fn request(&self, number: usize) -> Vec<u8> {
        let (path, question) = (&self.settings.path, self.question(number));
        let length = question.len();
        format!(
            "POST {path}/watch HTTP/1.1\r\nhost: t\r\naccept: text/event-stream\r\ncontent-length: {length}\r\n\r\n{question}"
        )
        .into_bytes()
    }
}

//! One user's documents for every flag, without copying them: which outcome each flag has, and the
//! documents that all users share. The response's tag is made from the tag of each document, and
//! its bytes are put together one window at a time, as the client takes them.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::task::yield_now;

use super::PublicState;
use super::auth::Caller;
use super::error::ApiError;
use super::kept_context::KeptContext;
use super::request::{BadRequest, EvaluationRequest};
use super::response::{ResponseBuilder, if_none_match};
use super::server::Weight;
use crate::convergence::EVERY_FLAG;
use crate::document::{Document, Form, Pick, PositionStamp};
use crate::flag::{Context, ServerAuth};
use crate::snapshot::{FlagSnapshot, Position, Snapshot};

/// How many bytes are put together at a time.
pub const WINDOW_BYTES: usize = 8 * 1024;
/// How many flags are evaluated in a row before other tasks have a turn.
const IN_A_ROW: usize = 256;
/// How many such responses to strangers are evaluated at once; callers with a credential have as
/// many again.
const AT_ONCE: usize = 1;
/// Memory that a waiting response takes per flag: its outcome, and its entry in a list that may
/// belong to an older snapshot.
const WAITING_BYTES_A_FLAG: usize = size_of::<Pick>() + size_of::<Arc<FlagSnapshot>>();

const OPEN: &[u8] = br#"{"flags":["#;
const CLOSE: &[u8] = b"]";
const END: &[u8] = b"}";

/// Which outcome each flag has for one user.
#[derive(Clone, Debug)]
pub struct Every {
    entries: Arc<[Arc<FlagSnapshot>]>,
    /// In the order of the entries; empty while they are not needed again.
    picks: Vec<Pick>,
    form: Form,
    /// Bytes that stand in the body besides the flags.
    beside: Bytes,
    mark: PositionStamp,
    documents_bytes: usize,
}

/// Who evaluates every flag at once: a few callers at a time, strangers apart from those with a
/// credential, so that a question for one flag never waits behind thousands.
#[derive(Debug)]
pub struct Turns {
    strangers: Semaphore,
    others: Semaphore,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { strangers: Semaphore::new(AT_ONCE), others: Semaphore::new(AT_ONCE) }
    }
}

impl Turns {
    /// Waits for a turn. It never fails, as the semaphores are never closed.
    async fn next(&self, stranger: bool) -> Result<SemaphorePermit<'_>, AcquireError> {
        if stranger { self.strangers.acquire().await } else { self.others.acquire().await }
    }
}

impl PublicState {
    /// Evaluates every flag for the sender of a body. With many flags that waits for a turn, and
    /// meanwhile only the part of the question that flags need is kept.
    pub async fn decide_every(
        &self,
        form: Form,
        body: Bytes,
        caller: &Caller,
        beside: Bytes,
    ) -> Result<(Arc<Snapshot>, Every), ApiError> {
        let snapshot = self.live.current().clone();
        let kept = {
            let question = EvaluationRequest::read(form, &body)?;
            let context = question.context(caller)?;
            self.hub.record_poller(EVERY_FLAG, &context);
            if snapshot.flags().len() <= IN_A_ROW {
                let mut every = Every::of(&snapshot, form, beside);
                every.decide_some(snapshot.server_auth(), &context, IN_A_ROW);
                return Ok((snapshot, every));
            }
            KeptContext::of(question, caller, snapshot.context_needs())
        };
        drop(body);
        self.decide_for(snapshot, &kept, form, beside).await
    }

    /// Evaluates every flag for a kept context, by the snapshot that is live when its turn comes.
    /// Until then the question counts among the incoming bodies.
    pub async fn decide_for(
        &self,
        kept_at: Arc<Snapshot>,
        kept: &KeptContext,
        form: Form,
        beside: Bytes,
    ) -> Result<(Arc<Snapshot>, Every), ApiError> {
        let stranger = kept.caller().is_stranger();
        let mut coming = self.incoming_questions.in_line(kept.bytes(), stranger);
        let decide = async {
            let _turn = self.turns.next(stranger).await;
            let now = self.live.current().clone();
            // What was kept is enough for the flags of that snapshot.
            let snapshot = if kept.lacks(now.context_needs()) { kept_at } else { now };
            let mut every = Every::of(&snapshot, form, beside);
            if let Some(context) = kept.context() {
                while !every.decide_some(snapshot.server_auth(), &context, IN_A_ROW) {
                    yield_now().await;
                }
            }
            (snapshot, every)
        };
        tokio::select! {
            biased;
            decided = decide => Ok(decided),
            () = coming.cut() => Err(BadRequest::Crowded.into()),
        }
    }
}

/// Who asks, and by which rules.
struct Asks<'a> {
    server_auth: ServerAuth,
    context: &'a Context<'a>,
    /// How many flags were evaluated.
    decided: Cell<usize>,
}

impl<'a> Asks<'a> {
    fn new(server_auth: ServerAuth, context: &'a Context<'a>) -> Asks<'a> {
        Asks { server_auth, context, decided: Cell::new(0) }
    }

    /// Which outcome a flag has, and its document; `known` is an outcome that was evaluated before.
    fn picked<'e>(
        &self,
        entry: &'e FlagSnapshot,
        known: Option<Pick>,
    ) -> (Pick, Option<&'e Document>) {
        let pick = known.unwrap_or_else(|| {
            self.decided.set(self.decided.get() + 1);
            entry.pick(entry.evaluate(self.server_auth, self.context))
        });
        (pick, entry.picked(pick))
    }
}

impl Every {
    /// Every flag of a snapshot, none of them evaluated yet.
    pub fn of(snapshot: &Snapshot, form: Form, beside: Bytes) -> Every {
        let entries = snapshot.shared_flags().clone();
        Every {
            picks: Vec::new(),
            entries,
            form,
            beside,
            mark: PositionStamp::default(),
            documents_bytes: 0,
        }
    }

    /// Evaluates up to so many further flags; true once all are evaluated.
    fn decide_some(
        &mut self,
        server_auth: ServerAuth,
        context: &Context<'_>,
        at_most: usize,
    ) -> bool {
        let entries = self.entries.clone();
        let asks = Asks::new(server_auth, context);
        self.picks.reserve_exact(entries.len() - self.picks.len());
        for entry in entries[self.picks.len()..].iter().take(at_most) {
            let (pick, document) = asks.picked(entry, None);
            self.picks.push(pick);
            self.count(None, document);
        }
        self.picks.len() == self.entries.len()
    }

    /// Counts a document that replaced another one, was added or was removed.
    fn count(&mut self, was: Option<&Document>, is: Option<&Document>) {
        if let Some(is) = is {
            self.mark = self.mark.with(is.mark(self.form));
            self.documents_bytes += is.bytes(self.form).len();
        }
        if let Some(was) = was {
            self.mark = self.mark.without(was.mark(self.form));
            self.documents_bytes -= was.bytes(self.form).len();
        }
    }

    /// Goes on to a newer snapshot than the one at `seen`: evaluates anew what changed between the
    /// two, and nothing else. Returns whether any flag has another document, and how many were
    /// evaluated.
    pub fn go_on_to(
        &mut self,
        snapshot: &Snapshot,
        seen: Position,
        context: &Context<'_>,
    ) -> (bool, usize) {
        let before = (self.mark, self.entries.len());
        let (old, new) = (self.entries.clone(), snapshot.shared_flags().clone());
        let asks = Asks::new(snapshot.server_auth(), context);
        match snapshot.changed_since(seen) {
            Some(indices) => {
                for index in indices {
                    let (_, was) = asks.picked(&old[index], self.picks.get(index).copied());
                    let (pick, is) = asks.picked(&new[index], None);
                    self.count(was, is);
                    self.picks.get_mut(index).into_iter().for_each(|known| *known = pick);
                }
            }
            None => self.compare(&old, &new, &asks),
        }
        self.entries = new;
        (before != (self.mark, self.entries.len()), asks.decided.get())
    }

    /// Compares the flags of before and of now, both in the order of their keys.
    fn compare(&mut self, old: &[Arc<FlagSnapshot>], new: &[Arc<FlagSnapshot>], asks: &Asks<'_>) {
        let known = std::mem::take(&mut self.picks);
        let mut picks = Vec::with_capacity(if known.is_empty() { 0 } else { new.len() });
        let mut rest = old.iter().enumerate().peekable();
        for is in new {
            while let Some((index, gone)) = rest.next_if(|(_, old)| old.key() < is.key()) {
                self.count(asks.picked(gone, known.get(index).copied()).1, None);
            }
            let was = rest.next_if(|(_, old)| old.key() == is.key());
            let kept = was.filter(|(_, was)| was.shares_documents_with(is)).map(|(index, _)| index);
            let pick = match kept {
                Some(index) => known.get(index).copied(),
                None => {
                    let was =
                        was.and_then(|(index, was)| asks.picked(was, known.get(index).copied()).1);
                    let (pick, is) = asks.picked(is, None);
                    self.count(was, is);
                    Some(pick)
                }
            };
            if !known.is_empty() {
                picks.extend(pick);
            }
        }
        for (index, gone) in rest {
            self.count(asks.picked(gone, known.get(index).copied()).1, None);
        }
        self.picks = picks;
    }

    /// Forgets which outcome each flag has; a later caller evaluates them again.
    pub fn forget_picks(&mut self) {
        self.picks = Vec::new();
    }

    /// Makes sure that the outcome of each flag is known. Returns how many were evaluated for it.
    pub fn know_picks(&mut self, server_auth: ServerAuth, context: &Context<'_>) -> usize {
        if !self.picks.is_empty() {
            return 0;
        }
        *self = self.emptied();
        self.decide_some(server_auth, context, usize::MAX);
        self.entries.len()
    }

    fn emptied(&self) -> Every {
        let Every { entries, form, beside, .. } = self;
        Every {
            entries: entries.clone(),
            picks: Vec::new(),
            form: *form,
            beside: beside.clone(),
            mark: PositionStamp::default(),
            documents_bytes: 0,
        }
    }

    /// The strong tag of the body.
    pub fn etag(&self) -> Bytes {
        self.mark.etag(self.entries.len(), &self.beside)
    }

    /// The length of the body in bytes.
    pub fn len(&self) -> usize {
        let commas = self.entries.len().saturating_sub(1);
        OPEN.len() + self.documents_bytes + commas + CLOSE.len() + self.beside.len() + END.len()
    }

    /// Counts each flag as answered.
    pub fn answered(&self) {
        self.entries.iter().zip(&self.picks).for_each(|(entry, pick)| entry.answered(*pick));
    }

    /// Memory it takes while it waits to be taken.
    pub fn waiting_bytes(&self) -> usize {
        2 * WINDOW_BYTES + WAITING_BYTES_A_FLAG * self.picks.len()
    }

    /// Memory the outcomes take.
    pub fn picked_bytes(&self) -> usize {
        size_of::<Every>() + self.picks.capacity() * size_of::<Pick>()
    }

    /// The body, one window at a time.
    pub fn windows(self: Arc<Every>) -> Windows {
        Windows { left: self.len(), every: self, next: 0 }
    }

    /// The response to a caller who asked for every flag.
    pub fn answer(
        self,
        answer: &ResponseBuilder<'_>,
        headers: &HeaderMap,
        tagged: Tagged,
        caller: &Caller,
    ) -> Response<Body> {
        self.answered();
        let stranger = caller.is_stranger();
        let tag = (tagged != Tagged::Never).then(|| self.etag());
        let matched = tagged == Tagged::AndCompared
            && tag.as_ref().is_some_and(|tag| if_none_match(headers, tag));
        let tag = tag.as_ref().map(|tag| (tag, matched));
        let mut windows = Arc::new(self).windows();
        let Some(weight) = windows.weight(stranger).filter(|_| !matched) else {
            let whole = if matched { Bytes::new() } else { windows.next().unwrap_or_default() };
            return answer.json(StatusCode::OK, whole, tag);
        };
        let mut response = answer.json(StatusCode::OK, Body::new(windows), tag);
        response.extensions_mut().insert(weight);
        response
    }
}

/// Whether a response has a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    Never,
    /// With a tag; a client that holds this tag already gets the body again.
    Always,
    /// With a tag; a client that holds this tag already gets a 304.
    AndCompared,
}

/// The body of a response for every flag.
#[derive(Debug)]
pub struct Windows {
    every: Arc<Every>,
    next: usize,
    left: usize,
}

impl Windows {
    /// Memory the windows take until they are taken, if that is more than one window.
    pub fn weight(&self, stranger: bool) -> Option<Weight> {
        (self.left > WINDOW_BYTES).then(|| Weight { bytes: self.every.waiting_bytes(), stranger })
    }
}

impl Iterator for Windows {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let Every { entries, picks, form, beside, .. } = &*self.every;
        // The last document exceeds the window: few have more than a kilobyte.
        let mut window = Vec::with_capacity(self.left.min(WINDOW_BYTES + 1024));
        if self.next == 0 {
            window.extend_from_slice(OPEN);
        }
        while window.len() < WINDOW_BYTES && self.next < entries.len() {
            if self.next > 0 {
                window.push(b',');
            }
            let pick = picks.get(self.next).copied().unwrap_or_default();
            if let Some(document) = entries[self.next].picked(pick) {
                window.extend_from_slice(document.bytes(*form));
            }
            self.next += 1;
        }
        if self.next == entries.len() {
            window.extend_from_slice(CLOSE);
            window.extend_from_slice(beside);
            window.extend_from_slice(END);
        }
        self.left = self.left.saturating_sub(window.len());
        Some(window.into())
    }
}

impl HttpBody for Windows {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next().map(|window| Ok(Frame::data(window))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

//! The events of one realtime stream: what it says next, and what it waits for.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::message;
use crate::feeds::{Cursor, Feeds, Followed, PollError, Reader, StreamKey};
use crate::http::sse::CloseReason;

/// So often memory and database may disagree before the stream gives up.
const ATTEMPTS: u8 = 5;

/// Something that is waited for.
type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Follows a stream of events from a place.
pub struct FeedFollower {
    feeds: Feeds,
    key: StreamKey,
    /// The user who has to be one of its readers; `None` where the session named the stream.
    user: Option<Box<str>>,
    at: Cursor,
    /// Whether it was said that the client has everything.
    is_live: bool,
    attempts: u8,
    changed: Option<Waiting<()>>,
    reading: Option<Waiting<Result<Followed, PollError>>>,
    /// Asks the database whether its user may read the stream.
    checking: Option<Waiting<Result<(), PollError>>>,
}

/// What is said next.
pub enum FeedEvent {
    Message(Bytes),
    End(CloseReason),
}

impl FeedFollower {
    pub fn new(feeds: Feeds, key: StreamKey, user: Option<Box<str>>, at: Cursor) -> FeedFollower {
        let (is_live, attempts, changed, reading, checking) = (false, 0, None, None, None);
        FeedFollower { feeds, key, user, at, is_live, attempts, changed, reading, checking }
    }

    /// What is to be said now; `None` while there is nothing, and then the task is woken when there
    /// is.
    pub fn next(&mut self, cx: &mut Context<'_>) -> Option<FeedEvent> {
        loop {
            if let Some(reading) = &mut self.reading {
                let Poll::Ready(read) = reading.as_mut().poll(cx) else { return None };
                self.reading = None;
                match read {
                    Ok(Followed::NotInMemory) if self.attempts < ATTEMPTS => self.attempts += 1,
                    Ok(Followed::NotInMemory) | Err(PollError::Unavailable) => {
                        return Some(FeedEvent::End(CloseReason::EventsUnavailable));
                    }
                    Ok(followed) => {
                        if let Some(event) = self.said(followed) {
                            return Some(event);
                        }
                    }
                    Err(_) => return Some(FeedEvent::End(CloseReason::StreamNotFound)),
                }
            }
            if let Some(changed) = &mut self.changed {
                if changed.as_mut().poll(cx).is_pending() {
                    return None;
                }
                self.changed = None;
            }
            // Taken before the look: what comes between is not missed.
            let names = (self.key.flag().as_str(), self.key.stream());
            let Some(watched) = self.feeds.watch(names) else {
                self.read();
                continue;
            };
            match self.feeds.look(&watched, self.reader(), self.at, message::events) {
                Followed::NotInMemory => self.read(),
                Followed::UpToDate if self.is_live => {
                    self.changed = Some(Box::pin(async move { watched.changed().await }));
                }
                followed => {
                    if let Some(event) = self.said(followed) {
                        return Some(event);
                    }
                }
            }
        }
    }

    /// Whether its user may no longer read the stream, or it is gone. Where memory does not say, the
    /// database is asked, and the task is woken when it has answered.
    pub fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        let mut checking = match self.checking.take() {
            Some(checking) => checking,
            None => {
                let names = (self.key.flag().as_str(), self.key.stream());
                if let Some(watched) = self.feeds.watch(names) {
                    return !self.feeds.may_read(&watched, self.reader());
                }
                let (feeds, key, user) = (self.feeds.clone(), self.key.clone(), self.user.clone());
                Box::pin(async move { feeds.check(&key, reader(user.as_deref())).await })
            }
        };
        match checking.as_mut().poll(cx) {
            Poll::Ready(checked) => matches!(checked, Err(PollError::NoStream)),
            Poll::Pending => {
                self.checking = Some(checking);
                false
            }
        }
    }

    fn said(&mut self, followed: Followed) -> Option<FeedEvent> {
        self.attempts = 0;
        Some(match followed {
            Followed::Batch(batch) => {
                self.at = batch.to;
                FeedEvent::Message(batch.message)
            }
            Followed::UpToDate if self.is_live => return None,
            Followed::UpToDate => {
                self.is_live = true;
                FeedEvent::Message(message::UP_TO_DATE)
            }
            Followed::Reset { reason, cursor, at } => {
                (self.at, self.is_live) = (at, false);
                FeedEvent::Message(message::reset(reason, &cursor))
            }
            Followed::Ended => FeedEvent::End(CloseReason::Ended),
            Followed::NotThere => FeedEvent::End(CloseReason::StreamNotFound),
            Followed::NotInMemory | Followed::Unavailable => {
                FeedEvent::End(CloseReason::EventsUnavailable)
            }
        })
    }

    fn read(&mut self) {
        let (feeds, key, user, at) =
            (self.feeds.clone(), self.key.clone(), self.user.clone(), self.at);
        self.reading = Some(Box::pin(async move {
            feeds.read_on(&key, reader(user.as_deref()), at, message::events).await
        }));
    }

    fn reader(&self) -> Reader<'_> {
        reader(self.user.as_deref())
    }
}

fn reader(user: Option<&str>) -> Reader<'_> {
    user.map_or(Reader::Any, Reader::User)
}

impl fmt::Debug for FeedFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeedFollower({:?})", self.at)
    }
}

//! A poll, from a stream's state: where it begins, and whether memory has the answer.

use bytes::Bytes;

use super::cursor::Cursor;
use super::name::StreamKey;
use super::page::{self, RenderedEvent, cut};
use super::query::{From, PollQuery};
use super::warm::StreamState;

/// An answer to a poll.
#[derive(Debug)]
pub struct EventPage {
    pub body: Bytes,
    pub etag: String,
    /// How many events it has.
    pub events: usize,
    pub has_more: bool,
    pub ended: bool,
    /// The epoch and the position of its cursor.
    pub end: (u64, u64),
}

/// Why a poll gets no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    #[error("there is no such stream, or it is not yours to read")]
    NoStream,
    #[error("the cursor is not one of this stream")]
    BadCursor,
    /// With the cursor of the start.
    #[error("the cursor is of an earlier life of this stream, or ahead of it; begin at its start")]
    Reset(String),
    /// With the place before the oldest event.
    #[error("the events behind the cursor are no longer kept; go on from the oldest that is")]
    Expired(String),
    #[error("events are not available just now; try again")]
    Unavailable,
}

/// Where a page begins, and who has it.
#[derive(Debug)]
pub enum Answer {
    Ready(EventPage),
    /// The events behind this position have to be read.
    Read(u64),
}

impl StreamState {
    /// Answers from memory, where memory has what is asked for.
    pub fn answer(&self, key: &StreamKey, query: &PollQuery<'_>) -> Result<Answer, PollError> {
        let from = self.begin(key, &query.from)?;
        if from == self.record.head {
            return Ok(Answer::Ready(self.idle(query.limit)));
        }
        Ok(match self.tail_after(from) {
            None => Answer::Read(from),
            Some(tail) => {
                let events = tail.iter().map(|event| &**event);
                Answer::Ready(self.page(key, from, query.limit, events))
            }
        })
    }

    /// The position behind which the page begins.
    pub fn begin(&self, key: &StreamKey, from: &From<'_>) -> Result<u64, PollError> {
        let record = &self.record;
        let at = |position| Cursor { epoch: record.epoch, position }.encode(key);
        match from {
            From::Start => Ok(record.kept_after),
            From::Now => Ok(record.head),
            From::Tail(count) => {
                Ok(record.head.saturating_sub(u64::from(*count)).max(record.kept_after))
            }
            From::After(text) if *text == self.head_cursor => Ok(record.head),
            From::After(text) => {
                let Cursor { epoch, position } =
                    Cursor::decode(text, key).map_err(|_| PollError::BadCursor)?;
                if epoch != record.epoch || position > record.head {
                    Err(PollError::Reset(at(record.kept_after)))
                } else if position < record.kept_after {
                    Err(PollError::Expired(at(record.kept_after)))
                } else {
                    Ok(position)
                }
            }
        }
    }

    fn idle(&self, limit: u32) -> EventPage {
        let record = &self.record;
        let etag = page::etag(record.epoch, record.head, record.head, limit, false, record.ended);
        let end = (record.epoch, record.head);
        let (body, ended) = (self.idle_body.clone(), record.ended);
        EventPage { body, etag, events: 0, has_more: false, ended, end }
    }

    /// A page of these events, the first of which follows the position.
    pub fn page<'e>(
        &self,
        key: &StreamKey,
        from: u64,
        limit: u32,
        events: impl Iterator<Item = &'e RenderedEvent> + Clone,
    ) -> EventPage {
        let record = &self.record;
        let count = cut(events.clone().map(|event| event.data_bytes), limit);
        let to = events.clone().take(count).last().map_or(from, |event| event.position);
        let has_more = to < record.head;
        let cursor = Cursor { epoch: record.epoch, position: to }.encode(key);
        // A reader who has not got everything has not reached the end.
        let ended = record.ended && !has_more;
        let body = page::body(events.take(count), &cursor, has_more, ended);
        let etag = page::etag(record.epoch, from, to, limit, has_more, ended);
        EventPage { body, etag, events: count, has_more, ended, end: (record.epoch, to) }
    }
}

//! Feeds: ordered events that clients follow by polling. Floor 3.
//!
//! The way of an event: a publish is checked (`publish`), waits for the writer (`writer`), which
//! decides all that wait together (`decide`) and makes them durable by one commit (`store`), then
//! shows them in memory (`warm`), where polls find them (`poll`, `page`).
//!
//! Feeds stand apart from control: their own database, threads and limits. Whatever becomes of them,
//! no strategy, flip or stop notices.

mod batch;
mod cursor;
mod decide;
mod fingerprint;
mod follow;
mod health;
pub mod limits;
mod metrics;
mod name;
mod page;
mod poll;
mod publish;
mod query;
mod readers;
mod reading;
mod refused;
mod retention;
mod service;
mod shared;
mod shares;
mod single_flight;
mod store;
mod sweep;
#[cfg(test)]
mod tests;
mod waiting;
mod warm;
mod writer;
mod writer_state;

pub use cursor::Cursor;
pub use decide::{PublishRefused, Published};
pub use follow::Followed;
pub use health::{FeedProblem, FeedProblemKind};
pub use metrics::{FeedCounts, PollOutcome};
pub use name::{StreamKey, is_stream};
pub use poll::{EventPage, PollError};
pub use publish::{BadPublish, Publish, is_event_id, is_event_type};
pub use query::{BadQuery, From, PollQuery, parameters};
pub use readers::{BadReaders, Readers};
pub use reading::Reader;
pub use retention::Retention;
pub use service::{Feeds, FeedsOptions, ListedStream};
pub use shared::{PublishError, RemovalError, RetentionOf};
pub use shares::EventsFull;
pub use store::{EventStoreError, EventTotals, check_copy as check_copy_of_events};
pub use turnout_api::schema::STREAM as STREAM_PATTERN;
pub use warm::Watched;

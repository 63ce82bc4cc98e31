//! Feeds at the command line: a small server that publishes, a good client that polls, and what the
//! streams hold.
//!
//! | file | what it decides |
//! |---|---|
//! | `arguments` | what all three take |
//! | `client` | which listener is asked, and with which credential |
//! | `publish` | what an event is made from |
//! | `follow` | where a follower goes on, and what it says |
//! | `interval` | when it polls again |
//! | `streams` | what is shown of the streams |
//! | `realtime` | how a stream is followed in realtime |
//! | `place` | where a follower is, and which events it has delivered |
//! | `one_line` | an event's data as part of a line |

mod allowance;
mod arguments;
mod client;
mod follow;
mod interval;
mod one_line;
mod place;
mod publish;
mod readers;
mod realtime;
mod streams;
mod terms;

pub use arguments::{FeedArgs, stream_name};
pub use client::FeedError;
pub use follow::Follow;
pub use publish::Publish;
pub use streams::Streams;

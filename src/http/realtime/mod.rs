//! `GET /v1/realtime/{flag}/{stream}`: the events of a stream as they come. The stream itself is one
//! of those of `sse/`; here stand who may open it, where it begins and what it says of events.

mod follower;
mod message;
mod open;

pub use follower::{FeedEvent, FeedFollower};
pub use open::{REALTIME_PATH, open};

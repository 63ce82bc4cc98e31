//! `/v1/feeds/…`: publish, poll, remove and list. `crate::feeds` knows what an answer holds; here
//! stand who may ask and how the answer looks.

mod answer;
mod change;
mod held_polls;
mod hold;
mod list;
mod path;
mod poll;

pub use answer::FeedAnswer;
pub use change::{delete, deleted, publish, published};
pub use held_polls::HeldPolls;
pub use list::{list, listed};
pub use path::{STREAM_PATH, STREAMS_PATH, StreamPath, check_flag, names, stream_of};
pub use poll::{PollRequest, evaluate_poll, poll};

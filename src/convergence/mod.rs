//! How far a change has landed: what each open stream was told, and what its client said it holds. Floor 2.
//!
//! It decides from positions and times that are handed in. It opens no socket, reads no clock and makes no document: that is left to
//! `http`, which tells it what was written and what was acknowledged.

mod landed;
mod pollers;
mod progress;
mod shares;
mod streams;

pub use landed::{Counts, Landed, Reached, Report};
pub use pollers::{EVERY_FLAG, Pollers, PollersSeen};
pub use progress::{ANSWERS_WITHIN_MS, Progress, Verdict};
pub use shares::{Amount, NoRoom, Opener};
pub use streams::{AckId, BadAck, Follows, Open, Stream, Streams};

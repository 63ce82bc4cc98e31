//! How far a change has landed: what each open stream was told, and what its client said it holds.
//! Floor 2.
//!
//! It decides from positions and times that are handed in. It opens no socket, reads no clock and
//! makes no document: that is left to `http`, which tells it what was written and what was
//! acknowledged.

mod pollers;
mod progress;
mod registry;
mod shares;
mod tracker;

pub use pollers::{EVERY_FLAG, Pollers, PollersSeen};
pub use progress::{ANSWERS_WITHIN_MS, DeliveryState, Progress};
pub use registry::{AckId, BadAck, Stream, StreamHandle, Streams, Subscription};
pub use shares::{Amount, Opener, TooManyStreams};
pub use tracker::{ConvergenceTracker, Counts, Percentiles, Report};

//! How far a change has landed: what each open stream was sent, and which position its client
//! acknowledged. Floor 2.
//!
//! This module decides from positions and times that callers pass in. It opens no socket, reads no
//! clock and builds no document: `http` does that, and reports what was written and acknowledged.

mod pollers;
mod progress;
mod registry;
mod shares;
mod tracker;

pub use pollers::{EVERY_FLAG, Pollers, PollersSeen};
pub use progress::{ANSWERS_WITHIN_MS, DeliveryState, Progress};
pub use registry::{AckId, BadAck, REALTIME_OF_USER, Stream, StreamHandle, Streams, Subscription};
pub use shares::{Amount, Opener, TooManyStreams};
pub use tracker::{ConvergenceTracker, Counts, Percentiles, Report};

//! Streams: who is told what, when, and what that proves of a change.

mod bounds;
mod convergence;
mod under_flips;
mod watch;

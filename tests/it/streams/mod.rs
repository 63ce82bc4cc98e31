//! Streams: which client is sent what and when, and what that proves about a change.

mod bounds;
mod convergence;
mod gone;
mod heads;
mod under_flips;
mod watch;

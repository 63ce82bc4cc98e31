//! Tests that need no server: the laws, the published vectors, the reader of flag files, and the
//! write path against a model. `docs/TESTING.md` says which question is answered where.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::large_stack_arrays,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and sets up what it needs"
)]

mod credentials;
mod docs;
mod events;
mod floors;
mod hostile;
mod laws;
mod model;
mod names;
mod narrowing_law;
mod pending;
#[path = "../support/random.rs"]
mod random;
mod schema;
mod tables;
mod vectors;

//! What the core promises, without a server: the laws, the published vectors, the reader of flag
//! files. `docs/TESTING.md` says which question is answered where.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::large_stack_arrays,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and sets up what it needs"
)]

mod attribute_notes;
mod credentials;
mod hostile;
mod laws;
mod narrowing_law;
mod pending;
mod schema;
mod shipped_walk;
mod tables;
mod unrecorded;
mod vectors;

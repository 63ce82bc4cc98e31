//! Tests that need no server: the write path against a model, and what the sources and the docs
//! promise of themselves. The core's are in `crates/core/tests/pure/`; `docs/TESTING.md` says which
//! question is answered where.

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

mod circles;
mod clients_page;
mod docs;
mod events;
mod floors;
mod many_users;
mod model;
mod names;
mod prose;
#[path = "../support/random.rs"]
mod random;
mod sources;

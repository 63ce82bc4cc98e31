//! The full-stack tests: one binary, a module an area. Each talks to the real server, over a real
//! folder and a real SQLite file. `docs/TESTING.md` says which question is answered where.

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

mod admin;
mod auth;
mod cli;
mod clocks;
mod contract;
mod feeds;
mod files;
mod http;
mod process;
mod realtime;
mod recovery;
mod reports;
mod security;
mod store;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod viewers;
mod webhook;

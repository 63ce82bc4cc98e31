//! The full-stack tests: one binary, a module an area. Each talks to the real server, over a real
//! folder and a real SQLite file. `docs/TESTING.md` says which question is answered where.

mod admin;
mod auth;
mod cli;
mod clocks;
mod contract;
mod files;
mod http;
mod process;
mod recovery;
mod security;
mod store;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod viewers;
mod webhook;

//! The full-stack tests: one binary, a module an area. Each talks to the real server, over a real folder and a real SQLite file.

mod addresses;
mod narrowing;
mod narrowing_law;
#[path = "../support/mod.rs"]
mod support;

mod credentials;
mod files_in_place;
mod log;

//! Turnout answers, for each user and feature, which transport a client uses for live updates.
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod definition;
pub mod document;
pub mod flag;
pub mod folder;
pub mod http;
pub mod live;
pub mod snapshot;
pub mod telemetry;
pub mod watch;

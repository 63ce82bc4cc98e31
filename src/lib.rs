//! Turnout answers, for each user and feature, which transport a client uses for live updates:
//! `polling`, `realtime-v2` or `disabled`.
//!
//! The modules in reading order, from the ground up; one imports only from floors below
//! (`tests/logic/floors.rs`).
//!
//! | floor | modules |
//! |---|---|
//! | 0 | [`flag`] what a flag means, [`definition`] from YAML to flags, [`moment`] times by two clocks, [`clock`] reads the clocks, [`public_path`] the prefix under which a proxy serves, [`display_text`] makes text of unknown origin safe to show, [`count`] says how many of what |
//! | 1 | [`document`] answers as bytes, [`snapshot`] every flag at one position, [`live`] the current snapshot, [`explain`] why an answer is what it is, [`evaluation_counters`] how often each outcome was answered, [`ledger`] decisions and what follows from them |
//! | 2 | [`regular_file`] opens without waiting, [`time_limit`] leaves behind what hangs, [`flag_files`] reads the files and reports settled changes, [`auth`] which credentials are accepted, [`store`] durable state, [`data_dir`] what is kept on local disk, [`fd_limit`] how many files may be open, [`convergence`] how many streams hold the newest state |
//! | 3 | [`control`] the one way in for every change, [`feeds`] events that clients follow, [`reports`] how following went, [`webhook`] sends each change to another service, [`backup`] copies the databases and puts a copy back, [`telemetry`] log and metrics |
//! | 4 | [`config`], [`http`], [`app`], [`cli`] |

pub use turnout_core::{
    count, definition, display_text, document, evaluation_counters, explain, flag, ledger, moment,
    public_path, snapshot,
};

pub mod app;
pub mod auth;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod convergence;
pub mod data_dir;
pub mod fd_limit;
pub mod feeds;
pub mod flag_files;
pub mod http;
pub mod http_client;
pub mod live;
pub mod quota;
pub mod regular_file;
pub mod reports;
pub mod store;
pub mod telemetry;
pub mod thread_runtime;
pub mod time_limit;
pub mod webhook;

//! Turnout answers, for each user and feature, which transport a client uses for live updates: `polling`, `realtime-v2` or
//! `disabled`.
//!
//! The modules in reading order, from the ground up; one imports only from floors below (`tests/logic/floors.rs`).
//!
//! | floor | modules |
//! |---|---|
//! | 0 | [`flag`] what a flag means, [`definition`] from YAML to flags, [`moment`] times by two clocks, [`clock`] which reads them, [`public_path`] where a proxy serves it, [`display_text`] what others wrote, fit to be shown |
//! | 1 | [`document`] answers as bytes, [`snapshot`] every flag at one position, [`live`] the current one, [`explain`] the story of an answer, [`tally`] how often each outcome was answered, [`truth`] what was decided and what follows from it |
//! | 2 | [`regular_file`] opens without waiting, [`time_limit`] leaves behind what hangs, [`folder`] reads files, [`watch`] says when they have settled, [`token`] which credentials are good, [`store`] durable truth, [`data`] what is kept on local disk, [`open_files`] how many there may be, [`convergence`] how far a change has landed |
//! | 3 | [`control`] the one coordinator for change, [`webhook`] who else is told of each, [`telemetry`] |
//! | 4 | [`config`], [`http`], [`app`], [`cli`] |
//!
//! ```
//! use turnout::definition::{Contents, Library};
//! use turnout::flag::{Context, Identity, ServerAuth, TargetingKey};
//! use turnout::public_path::PublicPath;
//! use turnout::snapshot::{Position, Snapshot};
//! use turnout::truth::{Book, Head, Truth, reconcile};
//!
//! let mut library = Library::default();
//! let chat = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 50% }\n";
//! library.update(&Contents::of([("chat.yaml", chat)]));
//!
//! let mut truth = Truth::of(Book::empty(), Vec::new());
//! let difference = reconcile(&truth, &library);
//! truth.book.apply(Head { revision: 1, ..Head::none() }, &difference.changes, &difference.forms);
//!
//! let (snapshot, _) = Snapshot::cold(ServerAuth::Off, PublicPath::default()).next(truth.position(), truth.standings().into_iter());
//! let flag = snapshot.flag("chat").unwrap();
//! let context = Context::new(Identity::Plain, TargetingKey::parse("u-1").unwrap(), &[]);
//! println!("{} at revision {}", snapshot.evaluate(flag, &context).strategy, snapshot.position());
//! ```

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::dbg_macro, clippy::todo)]

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod convergence;
pub mod data;
pub mod definition;
pub mod display_text;
pub mod document;
pub mod explain;
pub mod flag;
pub mod folder;
pub mod http;
pub mod http_client;
pub mod live;
pub mod moment;
pub mod open_files;
pub mod public_path;
pub mod regular_file;
pub mod snapshot;
pub mod store;
pub mod tally;
pub mod telemetry;
pub mod thread_runtime;
pub mod time_limit;
pub mod token;
pub mod truth;
pub mod watch;
pub mod webhook;

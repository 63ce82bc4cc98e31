//! Turnout answers, for each user and feature, which transport a client uses for live updates: `polling`, `realtime-v2` or
//! `disabled`.
//!
//! The modules in reading order, from the ground up; one imports only from floors below (`tests/floors.rs`).
//!
//! | floor | modules |
//! |---|---|
//! | 0 | [`flag`] what a flag means, [`definition`] from YAML to flags, [`clock`] |
//! | 1 | [`document`] answers as bytes, [`snapshot`] every flag at one position, [`live`] the current one, [`tally`] how often each outcome was answered |
//! | 2 | [`folder`] reads files, [`watch`] says when they have settled, [`token`] which credentials are good, [`open_files`] how many there may be |
//! | 3 | [`control`] the one corridor for change, [`telemetry`] |
//! | 4 | [`config`], [`http`], [`app`], [`cli`] |
//!
//! ```
//! use turnout::control::{Change, Corridor};
//! use turnout::definition::Contents;
//! use turnout::flag::{Context, Identity, ServerAuth, TargetingKey};
//!
//! let corridor = Corridor::new(ServerAuth::Off);
//! let chat = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 50% }\n";
//! corridor.apply(Change::Folder(Contents::of([("chat.yaml", chat)])));
//!
//! let snapshot = corridor.live().current();
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
pub mod definition;
pub mod document;
pub mod flag;
pub mod folder;
pub mod http;
pub mod live;
pub mod open_files;
pub mod snapshot;
pub mod tally;
pub mod telemetry;
pub mod token;
pub mod watch;

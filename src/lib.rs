//! Turnout answers, for each user and feature, which transport a client uses for live updates:
//! `polling`, `realtime-v2` or `disabled`.
//!
//! The modules in reading order, from the ground up; one imports only from floors below
//! (`tests/logic/floors.rs`).
//!
//! | floor | modules |
//! |---|---|
//! | 0 | [`flag`] what a flag means, [`definition`] from YAML to flags, [`moment`] times by two clocks, [`clock`] reads the clocks, [`public_path`] the prefix under which a proxy serves, [`display_text`] makes text of unknown origin safe to show |
//! | 1 | [`document`] answers as bytes, [`snapshot`] every flag at one position, [`live`] the current snapshot, [`explain`] why an answer is what it is, [`evaluation_counters`] how often each outcome was answered, [`ledger`] decisions and what follows from them |
//! | 2 | [`regular_file`] opens without waiting, [`time_limit`] leaves behind what hangs, [`flag_files`] reads the files and reports settled changes, [`auth`] which credentials are accepted, [`store`] durable state, [`data_dir`] what is kept on local disk, [`fd_limit`] how many files may be open, [`convergence`] how many streams hold the newest state |
//! | 3 | [`control`] the one way in for every change, [`webhook`] sends each change to another service, [`telemetry`] log and metrics |
//! | 4 | [`config`], [`http`], [`app`], [`cli`] |
//!
//! ```
//! use turnout::definition::{DefinitionSet, FlagFiles};
//! use turnout::flag::{Context, Identity, ServerAuth, TargetingKey};
//! use turnout::public_path::PublicPath;
//! use turnout::snapshot::{Position, Snapshot};
//! use turnout::ledger::{Catalog, EffectiveState, Head, reconcile};
//!
//! let mut set = DefinitionSet::default();
//! let chat = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 50% }\n";
//! set.update(&FlagFiles::of([("chat.yaml", chat)]));
//!
//! let mut state = EffectiveState::of(Catalog::empty(), Vec::new());
//! let difference = reconcile(&state, &set);
//! state.catalog.apply(Head { revision: 1, ..Head::none() }, &difference.changes, &difference.content);
//!
//! let (snapshot, _) = Snapshot::cold(ServerAuth::Off, PublicPath::default()).next(state.position(), state.effective_flags().into_iter());
//! let flag = snapshot.flag("chat").unwrap();
//! let context = Context::new(Identity::Plain, TargetingKey::parse("u-1").unwrap(), &[]);
//! println!("{} at revision {}", snapshot.evaluate(flag, &context).strategy, snapshot.position());
//! ```

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod convergence;
pub mod data_dir;
pub mod definition;
pub mod display_text;
pub mod document;
pub mod evaluation_counters;
pub mod explain;
pub mod fd_limit;
pub mod flag;
pub mod flag_files;
pub mod http;
pub mod http_client;
pub mod ledger;
pub mod live;
pub mod moment;
pub mod public_path;
pub mod regular_file;
pub mod snapshot;
pub mod store;
pub mod telemetry;
pub mod thread_runtime;
pub mod time_limit;
pub mod webhook;

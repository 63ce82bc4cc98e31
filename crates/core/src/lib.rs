//! The pure core of Turnout: the same arguments give the same answer on every machine, in every
//! language and on every day. Nothing here reads a file, a socket, a clock or a source of
//! randomness; the manifest and `clippy.toml` beside it see to that.
//!
//! The modules in reading order, from the ground up:
//!
//! | module | what it does |
//! |---|---|
//! | [`flag`] | what a flag means: buckets, conditions, one evaluation |
//! | [`display_text`] | makes text of unknown origin safe to show |
//! | [`count`] | how many of what, in words |
//! | [`moment`] | times by two clocks |
//! | [`public_path`] | the prefix under which a proxy serves |
//! | [`definition`] | from YAML to flags, with a place for every finding |
//! | [`evaluation_counters`] | how often each outcome was answered |
//! | [`document`] | answers as bytes |
//! | [`snapshot`] | every flag at one position |
//! | [`ledger`] | decisions and what follows from them |
//! | [`explain`] | why an answer is what it is |
//! | [`wire`] | how values of the core stand in messages |
//!
//! ```
//! use turnout_core::definition::{DefinitionSet, FlagFiles};
//! use turnout_core::flag::{Context, Identity, ServerAuth, TargetingKey};
//! use turnout_core::public_path::PublicPath;
//! use turnout_core::snapshot::{Position, Snapshot};
//! use turnout_core::ledger::{Catalog, EffectiveState, Head, reconcile};
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

// A hash table has another order in each process: nothing may depend on it.
#![warn(clippy::iter_over_hash_type)]

pub mod count;
pub mod definition;
pub mod display_text;
pub mod document;
pub mod evaluation_counters;
pub mod explain;
pub mod flag;
pub mod ledger;
pub mod moment;
pub mod public_path;
pub mod snapshot;
pub mod wire;

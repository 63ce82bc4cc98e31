//! Evaluates a flag inside your own program: YAML in, a strategy out, without a server, a file or
//! the network.
//!
//! ```sh
//! cargo run --package turnout-core --example evaluate -- u-1
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is the program around the core: it reads its arguments and prints"
)]

use std::error::Error;

use turnout_core::definition::{DefinitionSet, FlagFiles};
use turnout_core::flag::{Context, Identity, ServerAuth, TargetingKey};
use turnout_core::ledger::{Catalog, EffectiveState, Head, reconcile};
use turnout_core::public_path::PublicPath;
use turnout_core::snapshot::Snapshot;

const CHAT: &str = "\
version: 1
flag: chat
enabled: true
default: polling
when_stopped: polling
rollout: { realtime-v2: 50% }
";

fn main() -> Result<(), Box<dyn Error>> {
    let user = std::env::args().nth(1).unwrap_or_else(|| "u-1".to_owned());

    // The definitions that the YAML texts make. A text with an error changes nothing.
    let mut definitions = DefinitionSet::default();
    definitions.update(&FlagFiles::of([("chat.yaml", CHAT)]));

    // The definitions become revision 1 of an empty state, as at the first start of a server.
    let mut state = EffectiveState::of(Catalog::empty(), Vec::new());
    let first = reconcile(&state, &definitions);
    state.catalog.apply(Head { revision: 1, ..Head::none() }, &first.changes, &first.content);

    // A snapshot answers any number of questions, from any number of threads.
    let nothing = Snapshot::cold(ServerAuth::Off, PublicPath::default());
    let (snapshot, _) = nothing.next(state.position(), state.effective_flags().into_iter());
    let flag = snapshot.flag("chat").ok_or("the flag has an error")?;
    let key = TargetingKey::parse(&user).map_err(|_| "a user's key has at most 256 bytes")?;
    let answer = snapshot.evaluate(flag, &Context::new(Identity::Plain, key, &[]));
    println!("{} for {user}, at revision {}", answer.strategy, snapshot.position());
    Ok(())
}

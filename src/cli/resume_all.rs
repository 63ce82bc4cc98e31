//! `turnout resume --all`: lifts what the newest stop stopped, one flag after the other. A flag that
//! was stopped before, for a reason of its own, stays stopped.

use serde_json::Value as Json;

use super::change::{ChangeArgs, ConfirmArgs, confirmed};
use super::count::count;
use super::exit::Exit;
use super::output::{self, print_error, print_note};
use super::remote::text_of;
use super::time;
use crate::flag::FlagKey;

pub fn run(args: &ChangeArgs, asking: &ConfirmArgs, body: &Json) -> Exit {
    let status = match args.remote.get("/v1/status") {
        Ok(status) => status,
        Err((exit, message)) => {
            print_error(&message);
            return exit;
        }
    };
    let Some((stop, flags)) = newest_stop(&status) else {
        print_note("no flag is stopped");
        return Exit::Yes;
    };
    let names = flags.iter().map(FlagKey::as_str).collect::<Vec<_>>().join(", ");
    let question =
        format!("lift the stop by {} of {}: {names}", time::mark(stop), count(flags.len(), "flag"));
    if !asking.yes && output::can_ask() && !confirmed(&question) {
        print_note("nothing was changed");
        return Exit::No;
    }
    let path = |flag: &FlagKey| format!("/v1/flags/{flag}/resume");
    let exits = flags.iter().map(|flag| args.at_once(&path(flag), Some(flag), body.clone()));
    // Every flag is tried; the first that could not be resumed decides the exit code.
    exits.fold(Exit::Yes, |first, exit| if first == Exit::Yes { exit } else { first })
}

/// The newest stop, and the flags that it stopped.
fn newest_stop(status: &Json) -> Option<(&Json, Vec<FlagKey>)> {
    let flags = status["flags"].as_array()?;
    let stops = || flags.iter().map(|flag| &flag["stop"]).filter(|stop| !stop.is_null());
    let newest = stops().max_by_key(|stop| stop["atMs"].as_i64())?;
    let stopped = flags.iter().filter(|flag| &flag["stop"] == newest);
    Some((newest, stopped.filter_map(|flag| text_of(&flag["flag"]).parse().ok()).collect()))
}

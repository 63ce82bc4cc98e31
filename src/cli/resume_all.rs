//! `turnout resume --all`: lifts what the newest stop stopped, one flag after the other. A flag that
//! was stopped before, for a reason of its own, stays stopped.

use turnout_api::admin::commands::ResumeCommand;
use turnout_api::admin::flags::{Attribution, FlagState, Status};

use super::caller;
use super::change::{ChangeArgs, ConfirmArgs, RESUME, confirmed, is_in_reach, reason_of};
use super::count;
use super::exit::Exit;
use super::http_client::CliError;
use super::output::{self, print_error, print_note};
use super::words;
use crate::flag::FlagKey;

pub fn run(args: &ChangeArgs, asking: &ConfirmArgs, body: &ResumeCommand) -> Exit {
    let status = match args.remote.get::<Status>("/v1/status") {
        Ok(status) => status.read,
        Err(error) => {
            let CliError { exit, message, .. } = caller::of_the_verb(error, "operator or admin");
            print_error(&message);
            return exit;
        }
    };
    if let Err(CliError { exit, message, .. }) = caller::may_widen(&status) {
        print_error(&message);
        return exit;
    }
    let Some((stop, flags)) = newest_stop(&status.flags) else {
        print_note("no flag is stopped");
        return Exit::Yes;
    };
    let reaches = || flags.iter().try_for_each(|flag| caller::reaches(&status, flag));
    let reached = is_in_reach(&status).and_then(|()| reaches());
    if let Err(CliError { exit, message, .. }) = reached {
        print_error(&message);
        return exit;
    }
    let names = flags.iter().map(FlagKey::as_str).collect::<Vec<_>>().join(", ");
    let question = format!(
        "lift the stop by {} of {}: {names}",
        words::mark(stop),
        count(flags.len(), "flag")
    );
    if !asking.yes && output::can_ask() && !confirmed(&question) {
        print_note("nothing was changed");
        return Exit::No;
    }
    let mut body = body.clone();
    if args.reason.is_none() && !asking.yes && output::can_ask() {
        match reason_of(output::ask("reason: ")) {
            Ok(reason) => body.reason = Some(reason),
            Err(why) => {
                print_note(why);
                return Exit::No;
            }
        }
    }
    // A stop that came after the question is another one: it stays.
    body.expected_revision = Some(status.revision);
    let exits = flags.iter().map(|flag| args.at_once(RESUME, Some(flag), body.clone()));
    // Every flag is tried; the first that could not be resumed decides the exit code.
    let exit = exits.fold(Exit::Yes, |first, exit| if first == Exit::Yes { exit } else { first });
    if let Some(left) = left(&status.flags, &flags).filter(|_| !args.json) {
        print_note(&left);
    }
    exit
}

/// What an earlier stop keeps stopped.
fn left(all: &[FlagState], resumed: &[FlagKey]) -> Option<String> {
    let line = |flag: &FlagState| {
        let stop = flag.overrides.stop.as_ref()?;
        let is_resumed = resumed.iter().any(|key| key.as_str() == flag.flag);
        (!is_resumed).then(|| format!("\n  {} by {}", flag.flag, words::mark(stop)))
    };
    let lines: String = all.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| {
        format!("still stopped, by an earlier stop:{lines}\nturnout resume FLAG, or resume --all again, lifts it")
    })
}

/// The newest stop, and the flags that it stopped.
fn newest_stop(flags: &[FlagState]) -> Option<(&Attribution, Vec<FlagKey>)> {
    let stops = flags.iter().filter_map(|flag| flag.overrides.stop.as_ref());
    let newest = stops.max_by_key(|stop| stop.at_ms)?;
    let stopped = flags.iter().filter(|flag| flag.overrides.stop.as_ref() == Some(newest));
    Some((newest, stopped.filter_map(|flag| flag.flag.parse().ok()).collect()))
}

//! What every changing verb does: ask a person before anything widens, send the command, and print
//! what is live after it.
//!
//! The server decides whether a command widens: on a terminal the command is first sent as one that
//! may only narrow. If that is refused for widening, the person is asked with what the server says
//! it would change, and the command is sent with the revision that was shown then. Of a stopped flag
//! the same is asked about what is kept for when it is resumed.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use turnout_api::admin::commands::{
    CommandOutcome, FlagChange, Outcome, PlainCommand, ResumeCommand, RollbackCommand, SetCommand,
};
use turnout_api::admin::flags::{DatabaseStatus, FlagState, Status};
use turnout_api::problem::Code;

use super::answer::Answer;
use super::caller;
use super::converge::WatchArgs;
use super::http_client::CliError;
use super::remote::{ChangeMode, ServerArgs};
use super::wrap::lines_of;
use super::{Exit, outcome, output, print, print_error, print_note};
use crate::flag::FlagKey;

/// The one verb that lifts a stop.
pub const RESUME: &str = "resume";

/// Options of every changing verb.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Why; it stands in the history. Needed where more users get realtime-v2
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,

    /// What the server says, as JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub watching: WatchArgs,

    #[command(flatten)]
    pub remote: ServerArgs,
}

/// Further options of a verb that may widen.
#[derive(Debug, Args)]
pub struct ConfirmArgs {
    /// Do not ask before it widens
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// The body of a command.
pub trait Command: Serialize {
    fn reason(&mut self) -> &mut Option<String>;
    fn expected_revision(&mut self) -> &mut Option<u64>;
}

macro_rules! commands {
    ($($name:ident)+) => {$(
        impl Command for $name {
            fn reason(&mut self) -> &mut Option<String> {
                &mut self.reason
            }

            fn expected_revision(&mut self) -> &mut Option<u64> {
                &mut self.expected_revision
            }
        }
    )+};
}

commands!(PlainCommand SetCommand ResumeCommand RollbackCommand);

/// One command about one flag.
pub struct ChangeRequest<'a, C> {
    pub verb: &'static str,
    pub flag: &'a FlagKey,
    pub body: C,
    /// What will be live, as a question: from the flag's current state, and what the server would
    /// change, if it was asked.
    pub question: &'a dyn Fn(&FlagState, Option<&FlagChange>) -> String,
}

impl ChangeArgs {
    /// Sends a command that may widen.
    pub fn run_change<C: Command>(
        &self,
        asking: &ConfirmArgs,
        request: ChangeRequest<'_, C>,
    ) -> Exit {
        self.try_to(asking, request).unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    /// Sends a command that needs no confirmation, for one flag or for all.
    pub fn at_once(
        &self,
        verb: &'static str,
        flag: Option<&FlagKey>,
        mut body: impl Command,
    ) -> Exit {
        give_reason(&mut body, self.reason.clone());
        let path = match flag {
            Some(flag) => format!("/v1/flags/{flag}/{verb}"),
            None => format!("/v1/{verb}"),
        };
        match self.remote.change(&path, &body, ChangeMode::Anyway) {
            Ok(reply) => self.report_outcome(&reply, verb, flag),
            Err(error) => {
                let CliError { exit, message, .. } = match (flag, error.code) {
                    (None, Some(Code::FlagNotPermitted)) => self.with_own_flags(error, verb),
                    _ => error,
                };
                print_error(&message);
                exit
            }
        }
    }

    /// The refusal of a command for all flags, with what the caller may type for each of its own.
    fn with_own_flags(&self, error: CliError, verb: &str) -> CliError {
        const NAMED: usize = 5;
        let status = self.remote.get::<Status>("/v1/status").ok();
        let own = status.and_then(|status| status.read.caller?.flags).unwrap_or_default();
        let mut typed: Vec<String> =
            own.iter().take(NAMED).map(|flag| format!("turnout {verb} {flag}")).collect();
        if own.len() > NAMED {
            typed.push(format!("and so for {} more", own.len() - NAMED));
        }
        let typed = match &*typed {
            [] => format!("turnout {verb} FLAG"),
            typed => typed.join(", "),
        };
        CliError {
            message: format!("{}, so it may not {verb} all; type: {typed}", error.message),
            ..error
        }
    }

    fn try_to<C: Command>(
        &self,
        asking: &ConfirmArgs,
        request: ChangeRequest<'_, C>,
    ) -> Result<Exit, CliError> {
        let path = format!("/v1/flags/{}/{}", request.flag, request.verb);
        let mut body = request.body;
        give_reason(&mut body, self.reason.clone());
        let done = |reply: Answer<Outcome>| {
            Ok(self.report_outcome(&reply, request.verb, Some(request.flag)))
        };
        let asks = !asking.yes && output::can_ask();
        if !asks {
            return done(self.remote.change(&path, &body, ChangeMode::Anyway)?);
        }
        let shown = match self.remote.get::<Status>("/v1/status") {
            Ok(shown) => shown.read,
            // The refusal of the command itself says which roles it takes.
            Err(error) if error.code == Some(Code::NotPermitted) => {
                return done(self.remote.change(&path, &body, ChangeMode::Anyway)?);
            }
            Err(error) => return Err(error),
        };
        let reaches = || caller::reaches(&shown, request.flag);
        if caller::may_widen(&shown).and_then(|()| reaches()).is_err() {
            // The server narrows, or says whom to ask; a yes would change nothing.
            return done(self.remote.change(&path, &body, ChangeMode::Anyway)?);
        }
        let flag = shown.flags.iter().find(|flag| flag.flag == request.flag.as_str());
        let is_confirmed = |would: Option<&FlagChange>| {
            let question = flag.map(|flag| (request.question)(flag, would));
            let question = question.unwrap_or_else(|| format!("{} {}", request.verb, request.flag));
            let is_confirmed = confirmed(&question);
            if !is_confirmed {
                print_note("nothing was changed");
            }
            is_confirmed
        };
        match self.remote.change(&path, &body, ChangeMode::OnlyNarrowing) {
            Ok(reply) => return done(reply),
            Err(CliError { code: Some(Code::MayOnlyNarrow), widening, .. }) => {
                let would = widening.as_ref().and_then(|widening| widening.would.first());
                // What only takes a hold away, and opens nothing, is not asked about.
                let widens = widening.as_ref().and_then(|widening| widening.widens);
                let widens = widens.unwrap_or(true);
                if widens {
                    is_in_reach(&shown)?;
                }
                if widens && !is_confirmed(would) {
                    return Ok(Exit::No);
                }
                if widens && self.reason.is_none() {
                    match reason_of(output::ask("reason: ")) {
                        Ok(reason) => give_reason(&mut body, Some(reason)),
                        Err(why) => {
                            print_note(why);
                            return Ok(Exit::No);
                        }
                    }
                }
            }
            Err(refused) => return Err(refused),
        }
        *body.expected_revision() = Some(shown.revision);
        done(self.remote.change(&path, &body, ChangeMode::Anyway)?)
    }

    fn saved_when(&self) -> &'static str {
        const PATIENCE: Duration = Duration::from_secs(1);
        let status = self.remote.get_within::<Status>("/v1/status", PATIENCE);
        saved_when(status.map(|status| status.database.state))
    }

    /// Prints the outcome of a command, and how it converges if that is wanted.
    fn report_outcome(&self, reply: &Answer<Outcome>, verb: &str, flag: Option<&FlagKey>) -> Exit {
        let Answer { json, read: outcome } = reply;
        if self.json {
            print(&format!("{json}\n"));
        } else {
            outcome::print_in_words(outcome, verb, &|| self.saved_when());
        }
        if !outcome.in_force {
            print_error(match outcome.outcome {
                CommandOutcome::Repeated => {
                    "nothing was done: this was done before and was taken back since; type it again"
                }
                _ => "it is not so now: another change came at the same moment",
            });
            return Exit::No;
        }
        self.watching.follow(&self.remote, flag, self.json)
    }
}

/// When a change that is only live here is saved.
fn saved_when(database: Option<DatabaseStatus>) -> &'static str {
    match database {
        Some(DatabaseStatus::Held) => {
            "it is saved once the database is accepted or the right one is back (turnout problems)"
        }
        _ => "it is saved when the database answers again",
    }
}

fn give_reason(body: &mut impl Command, reason: Option<String>) {
    if let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) {
        *body.reason() = Some(reason);
    }
}

/// While the database is away or not accepted a widening change is refused, and a yes to a question would
/// change nothing.
pub fn is_in_reach(Status { database, .. }: &Status) -> Result<(), CliError> {
    match (database.state, &database.why) {
        (DatabaseStatus::Down, why) => {
            let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            Err(CliError::failed(format!(
                "the database is out of reach{why}; stopping and lowering work all the same"
            )))
        }
        (DatabaseStatus::Held, why) => {
            let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            Err(CliError::failed(format!(
                "the database is not accepted{why}, so only stopping and lowering work; turnout problems says what to do"
            )))
        }
        _ => Ok(()),
    }
}

/// The reason that a person typed, or why it is none.
pub fn reason_of(typed: String) -> Result<String, &'static str> {
    match typed.split_whitespace().next() {
        None => Err("no reason was given, so nothing was changed"),
        // It was typed before the question stood.
        Some("turnout") => Err("that is a command and no reason, so nothing was changed"),
        Some(_) if is_left_out(&typed) => Err("that says nothing, so nothing was changed"),
        Some(_) => Ok(typed),
    }
}

/// A reason as it is typed. In a command that was printed to be typed it is left out.
pub fn reason(typed: &str) -> Result<String, String> {
    if is_left_out(typed) {
        return Err("this stands for your own words; say why".to_owned());
    }
    Ok(typed.to_owned())
}

fn is_left_out(typed: &str) -> bool {
    matches!(typed.trim(), "…" | "...")
}

/// Whether a person on a terminal says yes. A question that is longer than a line ends in one of its
/// own.
pub fn confirmed(question: &str) -> bool {
    let question = format!("{question}? [y/N] ");
    let mut lines = lines_of(&question, output::columns().unwrap_or(usize::MAX));
    let last = lines.pop().unwrap_or_default();
    lines.iter().for_each(|line| print_note(line));
    let answer = output::ask(&last);
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_no_reason() {
        for (typed, is_reason) in [
            ("it holds", true),
            ("turnouts differ", true),
            ("as turnout status says", true),
            ("", false),
            ("turnout status", false),
            ("turnout", false),
            ("…", false),
            ("...", false),
        ] {
            assert_eq!(reason_of(typed.to_owned()).is_ok(), is_reason, "{typed}");
        }
    }

    #[test]
    fn a_change_says_when_it_is_saved() {
        assert!(saved_when(Some(DatabaseStatus::Down)).ends_with("answers again"));
        assert!(saved_when(None).ends_with("answers again"));
        assert!(saved_when(Some(DatabaseStatus::Held)).contains("is accepted"));
    }
}

//! What every changing verb does: ask a person before anything widens, send the command, and print
//! what is live after it.
//!
//! The server decides whether a command widens: on a terminal the command is first sent as one that
//! may only narrow. If that is refused for widening, the person is asked, and the command is sent
//! with the revision that was shown then.

use clap::Args;
use serde::Serialize;
use turnout_api::admin::commands::{
    CommandOutcome, FlagChange, Outcome, PlainCommand, ResumeCommand, RollbackCommand, SetCommand,
};
use turnout_api::admin::flags::{FlagState, Status};
use turnout_api::admin::history::ActionName;
use turnout_api::problem::Code;

use super::answer::Answer;
use super::colours::print_screen;
use super::converge::WatchArgs;
use super::http_client::CliError;
use super::remote::{ChangeMode, ServerArgs};
use super::words::{arrow, held, serving};
use super::{Exit, output, print, print_error, print_note};
use crate::flag::FlagKey;

/// Options of every changing verb.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Why; it stands in the history. What widens needs one
    #[arg(long, value_name = "TEXT")]
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
    /// What will be live, as a question, from the flag's current state.
    pub question: &'a dyn Fn(&FlagState) -> String,
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
    pub fn at_once(&self, path: &str, flag: Option<&FlagKey>, mut body: impl Command) -> Exit {
        give_reason(&mut body, self.reason.clone());
        match self.remote.change(path, &body, ChangeMode::Anyway) {
            Ok(reply) => self.report_outcome(&reply, flag),
            Err(CliError { exit, message, .. }) => {
                print_error(&message);
                exit
            }
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
        let asks = !asking.yes && output::can_ask();
        if !asks {
            let reply = self.remote.change(&path, &body, ChangeMode::Anyway)?;
            return Ok(self.report_outcome(&reply, Some(request.flag)));
        }
        let shown = self.remote.get::<Status>("/v1/status")?.read;
        match self.remote.change(&path, &body, ChangeMode::OnlyNarrowing) {
            Ok(reply) => return Ok(self.report_outcome(&reply, Some(request.flag))),
            Err(refused) if refused.code == Some(Code::MayOnlyNarrow) => {}
            Err(refused) => return Err(refused),
        }
        let flag = shown.flags.iter().find(|flag| flag.flag == request.flag.as_str());
        let question = flag.map(|flag| (request.question)(flag));
        let question =
            question.unwrap_or_else(|| format!("{} {}", request.verb, request.flag.as_str()));
        if !confirmed(&question) {
            print_note("nothing was changed");
            return Ok(Exit::No);
        }
        *body.expected_revision() = Some(shown.revision);
        if self.reason.is_none() {
            give_reason(&mut body, Some(output::ask("reason: ")));
        }
        let reply = self.remote.change(&path, &body, ChangeMode::Anyway)?;
        Ok(self.report_outcome(&reply, Some(request.flag)))
    }

    /// Prints the outcome of a command, and how it converges if that is wanted.
    fn report_outcome(&self, reply: &Answer<Outcome>, flag: Option<&FlagKey>) -> Exit {
        let Answer { json, read: outcome } = reply;
        if self.json {
            print(&format!("{json}\n"));
        } else {
            print_in_words(outcome);
        }
        if !outcome.in_force && outcome.outcome == CommandOutcome::Repeated {
            print_error(
                "nothing was done: this was done before and was taken back since; type it again",
            );
            return Exit::No;
        }
        self.watching.follow(&self.remote, flag, self.json)
    }
}

fn give_reason(body: &mut impl Command, reason: Option<String>) {
    if let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) {
        *body.reason() = Some(reason);
    }
}

fn print_in_words(outcome: &Outcome) {
    print_screen(&live(outcome));
    outcome.notes.iter().for_each(|note| print_note(note));
    if outcome.outcome == CommandOutcome::Pending {
        let survives = if outcome.survives_restart {
            "survives a restart"
        } else {
            "does NOT survive a restart"
        };
        print_note(&format!(
            "live here, not yet saved: it is saved when the database answers again; {survives}"
        ));
    }
    // A person types it as it is printed, so a foreign server must not be able to put anything else
    // into it.
    if let Some(undo) = outcome.undo.as_ref().filter(|undo| is_own_command(undo)) {
        print_note(&format!("undo: {undo}"));
    }
}

/// Whether a shell reads it as one command of this program, and no more.
fn is_own_command(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-%".contains(&byte);
    text.starts_with("turnout ") && text.bytes().all(is_plain)
}

/// What is live after a command, one line per flag.
fn live(outcome: &Outcome) -> String {
    let Outcome { position, changes, .. } = outcome;
    let revision = match outcome.revision {
        Some(revision) => format!("revision {revision}"),
        None => format!("position {position}"),
    };
    let flag = outcome.flag.as_ref();
    let now =
        flag.map(|flag| format!("{}   {}{}", flag.flag, serving(&flag.live), held(Some(flag))));
    match (outcome.outcome, now) {
        (CommandOutcome::Unchanged, None) => {
            "nothing to change: every flag is stopped already\n".to_owned()
        }
        (CommandOutcome::Unchanged, Some(now)) => format!("nothing to change: {now}\n"),
        // A repeated command whose parts are not reported was answered before.
        (CommandOutcome::Repeated | CommandOutcome::Pending, now) if changes.is_empty() => {
            let now = now.map(|now| format!("; now {now}")).unwrap_or_default();
            format!("{revision}   was done before under the same name{now}\n")
        }
        _ => changes.iter().map(|change| line(&revision, change, flag)).collect(),
    }
}

fn line(revision: &str, change: &FlagChange, flag: Option<&FlagState>) -> String {
    let (was, live) = (change.was.as_deref().unwrap_or(""), change.live.as_deref().unwrap_or(""));
    let wanted = &change.wanted;
    let back_to = change.back_to.map(|to| format!("   back to revision {to}")).unwrap_or_default();
    let saved = if live == wanted || change.action == ActionName::Stop {
        String::new()
    } else {
        format!("   saved: {wanted}")
    };
    // Of a stopped flag it matters who holds the split that is saved, not that one is held.
    let held = if live == wanted || !saved.is_empty() { held(flag) } else { String::new() };
    let same = if was == live && live == wanted { "   nothing changes for users" } else { "" };
    format!("{revision}   {}   {}{saved}{back_to}{held}{same}\n", change.flag, arrow(was, live))
}

/// Whether a person on a terminal says yes.
pub fn confirmed(question: &str) -> bool {
    let answer = output::ask(&format!("{question}? [y/N] "));
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_of_this_program_is_shown_to_be_typed() {
        for (text, shown) in [
            ("turnout resume build-events", true),
            ("turnout rollback a.b_c --to 12", true),
            ("curl evil.example", false),
            ("turnout resume a; rm x", false),
            ("turnout resume $(x)", false),
            ("turnout resume a\nrm x", false),
            ("turnout resume a > /etc/x", false),
            ("turnoutx", false),
        ] {
            assert_eq!(is_own_command(text), shown, "{text}");
        }
    }
}

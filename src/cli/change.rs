//! What every changing verb does: ask a person before anything widens, send the command, and print
//! what is live after it.
//!
//! The server decides whether a command widens: on a terminal the command is first sent as one that
//! may only narrow. If that is refused for widening, the person is asked, and the command is sent
//! with the revision that was shown then.

use clap::Args;
use serde_json::{Value as Json, json};

use super::converge::WatchArgs;
use super::http_client::CliError;
use super::remote::{ChangeMode, ServerArgs, arrow, serving, text, text_of};
use super::{Exit, output, print, print_error, print_note, time};
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

/// One command about one flag.
pub struct ChangeRequest<'a> {
    pub verb: &'static str,
    pub flag: &'a FlagKey,
    pub body: Json,
    /// What will be live, as a question, from the flag's current state.
    pub question: &'a dyn Fn(&Json) -> String,
}

impl ChangeArgs {
    /// Sends a command that may widen.
    pub fn run_change(&self, asking: &ConfirmArgs, request: ChangeRequest<'_>) -> Exit {
        self.try_to(asking, request).unwrap_or_else(|CliError { exit, message, .. }| {
            print_error(&message);
            exit
        })
    }

    /// Sends a command that needs no confirmation, for one flag or for all.
    pub fn at_once(&self, path: &str, flag: Option<&FlagKey>, mut body: Json) -> Exit {
        self.give_reason(&mut body, self.reason.clone());
        match self.remote.change(path, &body, ChangeMode::Anyway) {
            Ok((_, reply)) => self.report_outcome(&reply, flag),
            Err(CliError { exit, message, .. }) => {
                print_error(&message);
                exit
            }
        }
    }

    fn try_to(&self, asking: &ConfirmArgs, request: ChangeRequest<'_>) -> Result<Exit, CliError> {
        let path = format!("/v1/flags/{}/{}", request.flag, request.verb);
        let mut body = request.body;
        self.give_reason(&mut body, self.reason.clone());
        let asks = !asking.yes && output::can_ask();
        if !asks {
            return Ok(self.report_outcome(
                &self.remote.change(&path, &body, ChangeMode::Anyway)?.1,
                Some(request.flag),
            ));
        }
        let error = |(exit, message)| CliError { exit, message, code: String::new() };
        let shown = self.remote.get("/v1/status").map_err(error)?;
        match self.remote.change(&path, &body, ChangeMode::OnlyNarrowing) {
            Ok((_, reply)) => return Ok(self.report_outcome(&reply, Some(request.flag))),
            Err(refused) if refused.code == "may-only-narrow" => {}
            Err(refused) => return Err(refused),
        }
        let flags = shown["flags"].as_array().map_or(&[][..], Vec::as_slice);
        let flag = flags
            .iter()
            .find(|flag| flag["flag"] == request.flag.as_str())
            .cloned()
            .unwrap_or_default();
        if !confirmed(&(request.question)(&flag)) {
            print_note("nothing was changed");
            return Ok(Exit::No);
        }
        body["expectedRevision"] = shown["revision"].clone();
        if self.reason.is_none() {
            self.give_reason(&mut body, Some(asked_for("reason: ")));
        }
        Ok(self.report_outcome(
            &self.remote.change(&path, &body, ChangeMode::Anyway)?.1,
            Some(request.flag),
        ))
    }

    fn give_reason(&self, body: &mut Json, reason: Option<String>) {
        if let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) {
            body["reason"] = reason.into();
        }
    }

    /// Prints the outcome of a command, and how it converges if that is wanted.
    fn report_outcome(&self, reply: &Json, flag: Option<&FlagKey>) -> Exit {
        if self.json {
            print(&format!("{reply}\n"));
        } else {
            print_in_words(reply);
        }
        if reply["inForce"] == false && reply["outcome"] == "repeated" {
            print_error(
                "nothing was done: this was done before and was taken back since; type it again",
            );
            return Exit::No;
        }
        self.watching.follow(&self.remote, flag, self.json)
    }
}

fn print_in_words(reply: &Json) {
    print(&live(reply));
    let notes = reply["notes"].as_array().into_iter().flatten().map(text_of);
    notes.for_each(|note| print_note(&note));
    if reply["outcome"] == "pending" {
        let survives = if reply["survivesRestart"] == true {
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
    if let Some(undo) = text(&reply["undo"]).filter(|undo| is_own_command(undo)) {
        print_note(&format!("undo: {undo}"));
    }
}

/// Whether a shell reads it as one command of this program, and no more.
fn is_own_command(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-%".contains(&byte);
    text.starts_with("turnout ") && text.bytes().all(is_plain)
}

/// What is live after a command, one line per flag.
fn live(reply: &Json) -> String {
    let revision = match reply["revision"].as_u64() {
        Some(revision) => format!("revision {revision}"),
        None => format!("position {}", text_of(&reply["position"])),
    };
    let flag = &reply["flag"];
    let now = || {
        format!("{}   {}{}", text_of(&flag["flag"]), serving(&text_of(&flag["live"])), held(flag))
    };
    let changes = reply["changes"].as_array().map_or(&[][..], Vec::as_slice);
    match &*text_of(&reply["outcome"]) {
        "unchanged" if flag.is_null() => {
            "nothing to change: every flag is stopped already\n".to_owned()
        }
        "unchanged" => format!("nothing to change: {}\n", now()),
        // A repeated command whose parts are not reported was answered before.
        "repeated" | "pending" if changes.is_empty() => {
            let now = if flag.is_null() { String::new() } else { format!("; now {}", now()) };
            format!("{revision}   was done before under the same name{now}\n")
        }
        _ => changes.iter().map(|change| line(&revision, change, flag)).collect(),
    }
}

fn line(revision: &str, change: &Json, flag: &Json) -> String {
    let [was, wanted, live] = ["was", "wanted", "live"].map(|member| text_of(&change[member]));
    let back_to =
        change["backTo"].as_u64().map(|to| format!("   back to revision {to}")).unwrap_or_default();
    let saved = if live == wanted || change["action"] == "stop" {
        String::new()
    } else {
        format!("   saved: {wanted}")
    };
    // Of a stopped flag it matters who holds the split that is saved, not that one is held.
    let held = if live == wanted || !saved.is_empty() { held(flag) } else { String::new() };
    let same = if was == live && live == wanted { "   nothing changes for users" } else { "" };
    format!(
        "{revision}   {}   {}{saved}{back_to}{held}{same}\n",
        text_of(&change["flag"]),
        arrow(&was, &live)
    )
}

/// `   held by oncall until 16:02`.
pub fn held(flag: &Json) -> String {
    let held = &flag["held"];
    if held.is_null() {
        return String::new();
    }
    let until = held["ends"]["atMs"]
        .as_i64()
        .map(|ms| format!(" until {}", time::at(ms)))
        .unwrap_or_default();
    format!("   held by {}{until}", text_of(&held["by"]))
}

/// A split in words: `realtime-v2 10%, disabled 5%`.
pub fn split(split: &Json) -> String {
    match (text(&split["realtime-v2"]), text(&split["disabled"]).as_deref()) {
        (None, _) => "what the file says".to_owned(),
        (Some(realtime), None | Some("0%")) => format!("realtime-v2 {realtime}"),
        (Some(realtime), Some(disabled)) => format!("realtime-v2 {realtime}, disabled {disabled}"),
    }
}

/// Whether a person on a terminal says yes.
pub fn confirmed(question: &str) -> bool {
    let answer = asked_for(&format!("{question}? [y/N] "));
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

fn asked_for(what: &str) -> String {
    output::ask(what)
}

/// A body without members.
pub fn empty_body() -> Json {
    json!({})
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

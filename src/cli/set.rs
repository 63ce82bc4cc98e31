//! `turnout set`: holds a split over the file's.

use clap::Args;
use serde_json::{Value as Json, json};

use super::change::{ChangeArgs, ChangeRequest, ConfirmArgs};
use super::remote::{arrow, text, text_of};
use super::{Exit, change, print_error, time};
use crate::clock;
use crate::flag::{FlagKey, Share, ShareError};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    turnout set build-events 25% --reason \"p95 fine\"\n  \
    turnout set build-events realtime-v2=25% disabled=5% --reason \"trial\" --for 2h --then 10%\n\n\
    Lowering is never refused and is live at once. A file edit does not clear what is set; `turnout unset` does.")]
pub struct Set {
    /// The flag
    flag: FlagKey,

    /// The share of realtime-v2, like 25%, or shares by name: realtime-v2=25% disabled=5%
    #[arg(value_name = "SHARE", required = true, num_args = 1..=2)]
    shares: Vec<String>,

    /// How long it is held, like 30m, 2h or 7d; then the split in force now returns, if that does
    /// not widen
    #[arg(long = "for", value_name = "TIME", value_parser = time::parse)]
    held_for: Option<i64>,

    /// The share of realtime-v2 after --for, also if that widens
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "held_for")]
    then: Option<Share>,

    #[command(flatten)]
    args: ChangeArgs,

    #[command(flatten)]
    asking: ConfirmArgs,
}

impl Set {
    pub fn run(&self) -> Exit {
        let mut body = match shares(&self.shares) {
            Ok(body) => body,
            Err(error) => {
                print_error(&error);
                return Exit::Usage;
            }
        };
        let wanted = body.clone();
        if let Some(ms) = self.held_for {
            body["forMs"] = ms.into();
        }
        if let Some(then) = self.then {
            body["then"] = json!(then);
        }
        let question = |flag: &Json| {
            let (end, name) = (self.end(flag), &self.flag);
            if flag["state"] == "stopped" {
                let by = text_of(&flag["stop"]["by"]);
                let kept = after(flag, &wanted);
                format!(
                    "{name} is stopped by {by} and stays stopped. Keep {kept}{end} for when it is resumed"
                )
            } else {
                format!("{}{end} on {name}", moved(flag, &wanted))
            }
        };
        self.args.run_change(
            &self.asking,
            ChangeRequest { verb: "set", flag: &self.flag, body, question: &question },
        )
    }
}

impl Set {
    /// What comes after it, in words: the split that was asked for, or that an earlier end does not
    /// happen.
    fn end(&self, flag: &Json) -> String {
        let until = self.held_for.map(|ms| time::at(clock::wall_ms().saturating_add(ms)));
        let ends = &flag["held"]["ends"];
        match (until, self.then) {
            (Some(until), Some(then)) => format!(", then realtime-v2 {then} at {until}"),
            (Some(until), None) => format!(" until {until}"),
            (None, _) if !ends.is_null() => {
                format!(
                    ", no longer {} at {}",
                    change::split(&ends["split"]),
                    time::of(&ends["atMs"])
                )
            }
            (None, _) => String::new(),
        }
    }
}

/// The split before and after, in words.
fn moved(flag: &Json, wanted: &Json) -> String {
    arrow(&text_of(&flag["live"]), &after(flag, wanted))
}

/// The split that was asked for, in words; a share that was not named stays.
fn after(flag: &Json, wanted: &Json) -> String {
    let after = |name: &str| {
        text(&wanted[name])
            .or_else(|| text(&flag["split"][name]))
            .unwrap_or_else(|| "0%".to_owned())
    };
    let disabled = match &*after("disabled") {
        "0%" => String::new(),
        disabled => format!(", disabled {disabled}"),
    };
    format!("realtime-v2 {}{disabled}", after("realtime-v2"))
}

/// The members that the typed shares stand for.
fn shares(typed: &[String]) -> Result<Json, String> {
    let mut body = change::empty_body();
    for text in typed {
        let (name, text) = text.split_once('=').unwrap_or(("realtime-v2", text));
        if !["realtime-v2", "disabled"].contains(&name) {
            return Err(format!(
                "`{name}`: a share is of realtime-v2 or of disabled; who is left over gets the flag's default"
            ));
        }
        if !body[name].is_null() {
            return Err(format!("the share of {name} is given twice"));
        }
        body[name] = json!(share(text)?);
    }
    Ok(body)
}

/// A share as it is typed.
pub fn share(text: &str) -> Result<Share, String> {
    text.parse().map_err(|error: ShareError| match Share::meant(text) {
        Some(meant) => format!("`{text}`: {error}; write {meant}"),
        None => format!("`{text}`: {error}"),
    })
}

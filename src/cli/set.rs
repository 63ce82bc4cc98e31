//! `turnout set`: holds a split over the file's.

use clap::Args;
use turnout_api::admin::commands::{FlagChange, SetCommand};
use turnout_api::admin::flags::FlagState;

use super::change::{ChangeArgs, ChangeRequest, ConfirmArgs};
use super::words::{self, arrow};
use super::{Exit, print_error, time};
use crate::clock;
use crate::definition::similar_strategy;
use crate::flag::{FlagKey, Share, ShareError, Strategy};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    turnout set build-events 25% --reason \"p95 fine\"\n  \
    turnout set build-events 25% disabled=5% --reason trial --for 2h\n\n\
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
        body.for_ms = self.held_for;
        body.then = self.then.map(|then| then.to_string());
        let wanted = body.clone();
        let question = |flag: &FlagState, _: Option<&FlagChange>| {
            let (end, name, after) = (self.end(flag), &self.flag, after(flag, &wanted));
            match &flag.overrides.stop {
                Some(stop) => format!(
                    "{name} is stopped by {} and stays stopped. Keep {after}{end} for when it is resumed",
                    stop.by
                ),
                None => format!("{} on {name}{end}", arrow(&flag.live, &after)),
            }
        };
        self.args.run_change(
            &self.asking,
            ChangeRequest { verb: "set", flag: &self.flag, body, question: &question },
        )
    }

    /// What comes after it, in words: the split that was asked for, or that an earlier end does not
    /// happen.
    fn end(&self, flag: &FlagState) -> String {
        let until = self.held_for.map(|ms| time::at(clock::wall_ms().saturating_add(ms)));
        let ends = flag.overrides.held.as_ref().and_then(|held| held.ends.as_ref());
        match (until, self.then, ends) {
            (Some(until), Some(then), _) => format!(", then realtime-v2 {then} at {until}"),
            (Some(until), None, _) => format!(" until {until}"),
            (None, _, Some(end)) if !words::is_passed_over(end) => {
                let then = words::split(end.split.as_ref());
                format!(
                    ", for good: its end at {} (then {then}) no longer comes",
                    time::at(end.at_ms)
                )
            }
            (None, _, _) => String::new(),
        }
    }
}

/// The split that was asked for, in words; a share that was not named stays.
fn after(flag: &FlagState, wanted: &SetCommand) -> String {
    let split = flag.split.as_ref();
    let zero = || "0%".to_owned();
    let realtime = wanted.realtime.clone().or_else(|| Some(split?.realtime.clone()));
    let disabled = wanted.disabled.clone().or_else(|| Some(split?.disabled.clone()));
    let disabled = disabled.filter(|share| share != "0%");
    let disabled = disabled.map(|share| format!(", disabled {share}")).unwrap_or_default();
    format!("realtime-v2 {}{disabled}", realtime.unwrap_or_else(zero))
}

/// The command that the typed shares stand for.
fn shares(typed: &[String]) -> Result<SetCommand, String> {
    let mut command = SetCommand::default();
    for text in typed {
        let (name, text) = text.split_once('=').unwrap_or(("realtime-v2", text));
        let slot = match name {
            "realtime-v2" => &mut command.realtime,
            "disabled" => &mut command.disabled,
            _ => {
                return Err(match similar_strategy(name) {
                    Some(meant @ (Strategy::RealtimeV2 | Strategy::Disabled)) => {
                        format!(
                            "`{name}`: a share is of realtime-v2 or of disabled; did you mean `{meant}`?"
                        )
                    }
                    _ => format!(
                        "`{name}`: a share is of realtime-v2 or of disabled; who is left over gets the flag's default"
                    ),
                });
            }
        };
        if slot.replace(share(text)?.to_string()).is_some() {
            return Err(format!("the share of {name} is given twice"));
        }
    }
    Ok(command)
}

/// A share as it is typed.
pub fn share(text: &str) -> Result<Share, String> {
    text.parse().map_err(|error: ShareError| match Share::meant(text) {
        Some(meant) => format!("`{text}`: {error}; write {meant}"),
        None => format!("`{text}`: {error}"),
    })
}

//! `turnout resume`, `turnout unset` and `turnout rollback`: what takes a change back.

use clap::{ArgGroup, Args};
use serde_json::Value as Json;
use serde_json::json;

use super::change::{ChangeArgs, ChangeRequest, ConfirmArgs, empty_body};
use super::remote::{arrow, text, text_of};
use super::set::share;
use super::{Exit, resume_all, time};
use crate::flag::{FlagKey, Share};

#[derive(Debug, Args)]
#[command(
    after_help = "`resume` lifts a stop, and nothing else does: no file edit, no restart, no rollback. With --at 1% it comes back at one per cent, and the rest follows by `turnout set`."
)]
#[command(group = ArgGroup::new("which").args(["flag", "all"]).required(true))]
pub struct Resume {
    /// The flag
    flag: Option<FlagKey>,

    /// Lift the stops of every flag that the newest stop stopped
    #[arg(long)]
    all: bool,

    /// The share of realtime-v2 to come back at, instead of the one before the stop
    #[arg(long, value_name = "SHARE", value_parser = share)]
    at: Option<Share>,

    #[command(flatten)]
    args: ChangeArgs,

    #[command(flatten)]
    asking: ConfirmArgs,
}

impl Resume {
    pub fn run(&self) -> Exit {
        let body = self.at.map_or_else(empty_body, |share| json!({ "at": share }));
        let Some(key) = &self.flag else { return resume_all::run(&self.args, &self.asking, &body) };
        let question = |flag: &Json| {
            let split = text(&flag["split"]["realtime-v2"]).unwrap_or_else(|| "0%".to_owned());
            let share = self.at.map_or(split, |share| share.to_string());
            format!(
                "lift the stop by {}: {} goes back to realtime-v2 {share}",
                time::mark(&flag["stop"]),
                key
            )
        };
        self.args.run_change(
            &self.asking,
            ChangeRequest { verb: "resume", flag: key, body, question: &question },
        )
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "What an operator holds (a split, an earlier definition) is let go; a stop stays."
)]
pub struct Unset {
    /// The flag
    flag: FlagKey,

    #[command(flatten)]
    args: ChangeArgs,

    #[command(flatten)]
    asking: ConfirmArgs,
}

impl Unset {
    pub fn run(&self) -> Exit {
        let question = |flag: &Json| {
            format!("{} on {}", arrow(&text_of(&flag["live"]), &text_of(&flag["file"])), self.flag)
        };
        self.args.run_change(
            &self.asking,
            ChangeRequest {
                verb: "unset",
                flag: &self.flag,
                body: empty_body(),
                question: &question,
            },
        )
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Undoes the newest change of the flag that is not a stop, a resume or a rollback; again, it walks further back. It never lifts a stop."
)]
pub struct Rollback {
    /// The flag
    flag: FlagKey,

    /// Bring back what was in force at this revision
    #[arg(long, value_name = "REV")]
    to: Option<u64>,

    #[command(flatten)]
    args: ChangeArgs,

    #[command(flatten)]
    asking: ConfirmArgs,
}

impl Rollback {
    pub fn run(&self) -> Exit {
        let body = self.to.map_or_else(empty_body, |revision| json!({ "to": revision }));
        let question = |flag: &Json| {
            let what = self.to.map_or_else(
                || "undo the newest change".to_owned(),
                |to| format!("go back to revision {to}"),
            );
            let live = text_of(&flag["live"]);
            format!(
                "{what} of {}, live now: {live}; that opens realtime-v2 to more users, or closes `disabled` to some, now or later",
                self.flag
            )
        };
        self.args.run_change(
            &self.asking,
            ChangeRequest { verb: "rollback", flag: &self.flag, body, question: &question },
        )
    }
}

//! `turnout resume`, `turnout unset` and `turnout rollback`: what takes a change back.

use clap::{ArgGroup, Args};
use turnout_api::admin::commands::{FlagChange, PlainCommand, ResumeCommand, RollbackCommand};
use turnout_api::admin::flags::FlagState;

use super::change::{ChangeArgs, ChangeRequest, ConfirmArgs, RESUME};
use super::history::revision;
use super::set::share;
use super::words::{self, arrow, serving, short, short_arrow};
use super::{Exit, resume_all};
use crate::flag::{FlagKey, Share};

#[derive(Debug, Args)]
#[command(
    after_help = "`resume` lifts a stop, and nothing else does: no file edit, no restart, no rollback. With --at 1% it comes back at one per cent, and the rest follows by `turnout set`."
)]
#[command(group = ArgGroup::new("which").arg("flag").arg("all").required(true))]
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
        let at = self.at.map(|share| share.to_string());
        let body = ResumeCommand { at, ..ResumeCommand::default() };
        let Some(key) = &self.flag else { return resume_all::run(&self.args, &self.asking, &body) };
        let question = |flag: &FlagState, _: Option<&FlagChange>| {
            let split = flag.split.as_ref().map_or("0%", |split| &split.realtime);
            let share = self.at.map_or_else(|| split.to_owned(), |share| share.to_string());
            let by = flag.overrides.stop.as_ref().map(words::mark).unwrap_or_default();
            format!("lift the stop by {by}: {key} goes back to realtime-v2 {share}")
        };
        self.args.run_change(
            &self.asking,
            ChangeRequest { verb: RESUME, flag: key, body, question: &question },
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
        let question = |flag: &FlagState, _: Option<&FlagChange>| {
            let (file, name) = (flag.file.as_deref().unwrap_or_default(), &self.flag);
            match &flag.overrides.stop {
                Some(stop) => format!(
                    "{name} is stopped by {} and stays stopped. Keep {} for when it is resumed, as its file says",
                    stop.by,
                    short(file)
                ),
                None => format!("{} on {name}", arrow(&flag.live, file)),
            }
        };
        self.args.run_change(
            &self.asking,
            ChangeRequest {
                verb: "unset",
                flag: &self.flag,
                body: PlainCommand::default(),
                question: &question,
            },
        )
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Undoes the newest change of the flag that is not a stop, a resume or a rollback; again, it walks further back. It never lifts a stop, and going back past a resume it opens nothing: --to does."
)]
pub struct Rollback {
    /// The flag
    flag: FlagKey,

    /// Bring back what was in force at this revision
    #[arg(long, value_name = "REV", value_parser = revision)]
    to: Option<u64>,

    #[command(flatten)]
    args: ChangeArgs,

    #[command(flatten)]
    asking: ConfirmArgs,
}

impl Rollback {
    pub fn run(&self) -> Exit {
        let body = RollbackCommand { to: self.to, ..RollbackCommand::default() };
        let question = |flag: &FlagState, would: Option<&FlagChange>| self.question(flag, would);
        self.args.run_change(
            &self.asking,
            ChangeRequest { verb: "rollback", flag: &self.flag, body, question: &question },
        )
    }

    /// What will be live, as far as the server said it.
    fn question(&self, flag: &FlagState, would: Option<&FlagChange>) -> String {
        let (name, live) = (&self.flag, &flag.live);
        let what = self.to.map_or_else(
            || "Undo its newest change".to_owned(),
            |to| format!("Go back to revision {to}"),
        );
        if let Some(stop) = &flag.overrides.stop {
            return format!(
                "{name} is stopped by {}, and a rollback does not lift that. {what}, for when it is resumed",
                stop.by
            );
        }
        let Some(change) = would else {
            return format!("{name} serves {}. {what}", serving(live));
        };
        let (was, is) = (change.was.as_deref().unwrap_or(live), change.live.as_deref());
        let then = match is {
            Some(is) if is != was => short_arrow(was, is),
            _ => format!("{}, as its file was then", short(was)),
        };
        let back_to =
            change.back_to.map(|to| format!(", back to revision {to}")).unwrap_or_default();
        let held = if change.stays_held {
            format!(", held until you type `turnout unset {name}`")
        } else {
            String::new()
        };
        format!("{name}: {then}{back_to}{held}")
    }
}

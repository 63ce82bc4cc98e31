//! `turnout stop`: the emergency stop. It never asks for confirmation and needs no reason.

use clap::{ArgGroup, Args};
use turnout_api::admin::commands::PlainCommand;

use super::Exit;
use super::change::ChangeArgs;
use crate::flag::FlagKey;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").arg("flag").arg("all").required(true))]
#[command(
    after_help = "Everybody gets the flag's `when_stopped` at once, also with the database out of reach. It stays, whatever happens, until `turnout resume`."
)]
pub struct Stop {
    /// The flag to stop
    flag: Option<FlagKey>,

    /// Stop every flag
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    args: ChangeArgs,
}

impl Stop {
    pub fn run(&self) -> Exit {
        self.args.at_once("stop", self.flag.as_ref(), PlainCommand::default())
    }
}

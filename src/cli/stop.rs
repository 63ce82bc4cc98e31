//! `turnout stop`: the emergency stop. It never asks for confirmation and needs no reason.

use clap::{ArgGroup, Args};
use turnout_api::admin::commands::PlainCommand;

use super::Exit;
use super::change::ChangeArgs;
use super::output::print_note;
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
        let path = self
            .flag
            .as_ref()
            .map_or_else(|| "/v1/stop".to_owned(), |flag| format!("/v1/flags/{flag}/stop"));
        let exit = self.args.at_once(&path, self.flag.as_ref(), PlainCommand::default());
        if self.all && exit != Exit::Failed && !self.args.json {
            print_note("undo: turnout resume --all");
        }
        exit
    }
}

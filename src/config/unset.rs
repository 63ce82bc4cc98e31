//! An empty value in the environment counts as not set, for every setting alike: compose files,
//! Helm charts and `.env` files write `NAME=` where they have no value.

use std::ffi::OsStr;

use clap::builder::Resettable;
use clap::{Arg, Command};

/// The same command and its subcommands, without the variables that are empty now. On the command
/// line an empty value stays an empty value.
pub fn without_empty_variables(command: Command) -> Command {
    command.mut_args(unless_empty).mut_subcommands(without_empty_variables)
}

fn unless_empty(arg: Arg) -> Arg {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg }
}

//! The command line. Floor 4: data on stdout, messages on stderr, exit codes that mean something.

mod admin_client;
mod answer;
mod ask;
mod attribute;
mod backup;
mod caller;
mod change;
mod check;
mod colours;
mod completions;
mod connection;
mod converge;
mod convergence;
mod demo;
mod diff;
pub mod events;
mod exit;
mod explain;
mod feeds;
mod history;
mod http_client;
mod keys;
mod listener;
mod outcome;
mod output;
mod problems;
mod remote;
mod resume_all;
mod retire;
mod schema;
mod serve;
mod session;
mod set;
mod shell;
mod signals;
mod startup_hints;
mod status;
mod stop;
mod table;
mod time;
mod token;
mod typos;
mod undo;
mod width;
mod words;
mod wrap;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{ServeArgs, without_empty_variables};
use crate::count::count;
use crate::telemetry::no_colour;
pub use exit::Exit;
use output::{print, print_error, print_note, printed};

/// Realtime strategy selection: which transport each user should use, changed in an instant.
#[derive(Debug, Parser)]
#[command(name = "turnout", bin_name = "turnout", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    settings: ServeArgs,
}

const EXIT_CODES: &str = "Without a command, turnout serves.\n\
    Exit codes: 0 yes, 1 the answer is no, 2 wrong usage, 3 refused, 4 could not.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start the service (also plain `turnout`)
    Serve(Box<ServeArgs>),
    /// A demonstration: a server of its own, and a page with twenty clients to flip, stop and roll back
    Demo(demo::Demo),
    /// Lint flag files and run their tests
    Check(check::Check),
    /// Explain step by step why a user gets an answer
    Explain(explain::Explain),
    /// Ask for a user as a client does; -w follows what a client hears
    Ask(ask::Ask),
    /// Append an event to a stream of a flag
    Publish(feeds::Publish),
    /// Print the events of a stream as they come
    Follow(feeds::Follow),
    /// List the streams of a flag, or of all, and what each holds
    Streams(feeds::Streams),
    /// Show the database and every flag, or all about one flag
    #[command(visible_alias = "list")]
    Status(status::Status),
    /// Hold a share over the one in the flag's file
    Set(set::Set),
    /// Go back to what the flag's file says
    Unset(undo::Unset),
    /// Emergency stop of a flag, or of all; never asks
    #[command(visible_alias = "kill")]
    Stop(stop::Stop),
    /// Lift a stop
    Resume(undo::Resume),
    /// Undo the newest change, or bring back a revision
    #[command(visible_alias = "undo")]
    Rollback(undo::Rollback),
    /// List what was changed, by whom and why; --verify checks that no row was altered
    History(history::History),
    /// Make, list and revoke tokens of people and programs
    Token(token::Token),
    /// Make a session for a user, to try things with
    Session(session::Session),
    /// List, rotate and revoke the keys that sessions and tokens are signed with
    Keys(keys::Keys),
    /// List what is wrong now, and the fix
    Problems(problems::Problems),
    /// Compare two folders of flags: what changes in meaning, and which buckets move
    Diff(diff::Diff),
    /// Give a flag up: its file goes, and its key is not taken again
    Retire(retire::Retire),
    /// Copy the databases into a new folder, while the server runs
    Backup(backup::Backup),
    /// Put a backup into the data folder of a server that is stopped
    Restore(backup::Restore),
    /// Print the version of this program
    Version,
    /// Print what makes a shell complete verbs, options and flags
    Completions(completions::Completions),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(schema::Schema),
}

/// Every command, and the settings it takes.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// Runs the command this process was started with.
pub fn run() -> ExitCode {
    if completions::answer(Cli::command) {
        return ExitCode::SUCCESS;
    }
    let parsed = without_empty_variables(as_wide_as_the_terminal(Cli::command()))
        .try_get_matches()
        .and_then(|typed| Cli::from_arg_matches(&typed));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let error = typos::with_hint(error);
            return ExitCode::from(output::end(usage_exit(&error)) as u8);
        }
    };
    // The description of the commands is dropped in here: a server would keep it as long as it runs.
    let known = || environment_names(&Cli::command());
    let exit = match cli.verb {
        None => serve::run(&cli.settings, &known()),
        Some(Verb::Serve(settings)) => serve::run(&settings, &known()),
        Some(Verb::Demo(demo)) => demo.run(),
        Some(Verb::Check(check)) => check.run(),
        Some(Verb::Explain(explain)) => explain.run(),
        Some(Verb::Ask(ask)) => ask.run(),
        Some(Verb::Publish(publish)) => publish.run(),
        Some(Verb::Follow(follow)) => follow.run(),
        Some(Verb::Streams(streams)) => streams.run(),
        Some(Verb::Status(status)) => status.run(),
        Some(Verb::Set(set)) => set.run(),
        Some(Verb::Unset(unset)) => unset.run(),
        Some(Verb::Stop(stop)) => stop.run(),
        Some(Verb::Resume(resume)) => resume.run(),
        Some(Verb::Rollback(rollback)) => rollback.run(),
        Some(Verb::History(history)) => history.run(),
        Some(Verb::Token(token)) => token.run(),
        Some(Verb::Session(session)) => session.run(),
        Some(Verb::Keys(keys)) => keys.run(),
        Some(Verb::Problems(problems)) => problems.run(),
        Some(Verb::Diff(diff)) => diff.run(),
        Some(Verb::Retire(retire)) => retire.run(),
        Some(Verb::Backup(backup)) => backup.run(),
        Some(Verb::Restore(restore)) => restore.run(),
        Some(Verb::Version) => {
            print(concat!("turnout ", env!("CARGO_PKG_VERSION"), "\n"));
            Exit::Yes
        }
        Some(Verb::Completions(completions)) => completions.run(),
        Some(Verb::Schema(schema)) => schema.run(),
    };
    ExitCode::from(output::end(exit) as u8)
}

/// Help is wrapped for a person's terminal, at 80 columns at most; so it is in a pipe, which leads to a
/// pager more often than to a program.
fn as_wide_as_the_terminal(command: clap::Command) -> clap::Command {
    const WIDEST: usize = 80;
    command.term_width(output::columns().map_or(WIDEST, |columns| columns.min(WIDEST)))
}

/// Every name in the environment that a command or one of its subcommands reads.
fn environment_names(command: &clap::Command) -> Vec<String> {
    let own = command
        .get_arguments()
        .filter_map(|argument| argument.get_env())
        .map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(environment_names)).collect()
}

/// The exit code of a usage message, or of a usage error.
fn usage_exit(error: &clap::Error) -> Exit {
    // As every other message begins.
    let named = |text: String| text.replacen("error:", "turnout:", 1);
    let (coloured, plain) = (error.render().ansi().to_string(), error.render().to_string());
    let (coloured, plain) =
        if error.use_stderr() { (named(coloured), named(plain)) } else { (coloured, plain) };
    let is_styled = !no_colour();
    if error.use_stderr() {
        if is_styled && output::talks_to_a_terminal() {
            output::print_note_styled(&coloured);
        } else {
            output::print_note(plain.trim_end());
        }
    } else if is_styled && output::prints_to_a_terminal() {
        output::print_styled(&coloured);
    } else {
        output::print(&plain);
    }
    if error.use_stderr() { Exit::Usage } else { Exit::Yes }
}

//! `turnout completions`: a script that has a shell ask this program what may be typed next. The
//! program then runs with `TURNOUT_COMPLETE`, knows the verbs by itself, and the flags from the
//! server, or else from the folder of flags. It says nothing where neither is there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::{Arg, Args, Command, FromArgMatches};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};
use clap_complete::env::Shells;
use turnout_api::admin::flags::Status;

use super::remote::ServerArgs;
use super::{Exit, output, print};
use crate::config::{COMPLETION_VARIABLE, CompletionRequest, program_name};
use crate::flag::FlagKey;

/// How long the server may take: a person waits for it after a key.
const QUICK: Duration = Duration::from_millis(400);
/// The options that say which server is asked.
const WHICH_SERVER: [&str; 3] = ["--server", "--token-file", "--data"];

#[derive(Debug, Args)]
#[command(
    after_help = "Switch them on in a shell's start file:\n  bash  source <(turnout completions bash)\n  zsh   source <(turnout completions zsh)\n  fish  turnout completions fish | source"
)]
pub struct Completions {
    /// The shell that is to complete
    shell: Shell,
}

impl Completions {
    pub fn run(&self) -> Exit {
        let (mut script, path) = (Vec::new(), program_name());
        let written = Shells::builtins().completer(&self.shell.to_string()).map(|shell| {
            shell.write_registration(COMPLETION_VARIABLE, "turnout", "turnout", &path, &mut script)
        });
        match written {
            Some(Ok(())) => {
                print(&String::from_utf8_lossy(&script));
                Exit::Yes
            }
            _ => Exit::Failed,
        }
    }
}

/// Answers a shell, if it is one that asks. Returns whether it was.
pub fn answer(turnout: impl Fn() -> Command) -> bool {
    let Some(request) = CompletionRequest::read() else { return false };
    if let Some(text) = candidates(request, turnout()) {
        output::print_candidates(&text);
    }
    true
}

fn candidates(request: CompletionRequest, turnout: Command) -> Option<String> {
    let CompletionRequest { shell, typed, index, folder, flags } = request;
    let shells = Shells::builtins();
    let shell = shells.completer(&shell)?;
    let word = typed.get(index)?.to_string_lossy().into_owned();
    let turnout = match &*word {
        // Of a command with two names the first is offered.
        "" if index == 1 => turnout.mut_subcommands(|verb| verb.visible_alias(None::<&str>)),
        _ => turnout,
    };
    let lookup = Arc::new(Lookup { options: server_options(&typed), flags });
    let mut command = with_flags(turnout, &lookup, word.starts_with('-'));
    let found = complete(&mut command, typed.clone(), index, folder.as_deref()).ok()?;
    // Options are offered where one was begun: else they would stand between the verbs.
    if found.iter().all(CompletionCandidate::is_hide_set) {
        return None;
    }
    let mut text = Vec::new();
    shell.write_complete(&mut command, typed, folder.as_deref(), &mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Where flags are looked up.
struct Lookup {
    /// The typed options that say which server is asked.
    options: Vec<OsString>,
    /// The folder of flags.
    flags: PathBuf,
}

/// The command with the flags that it can be given, at every level of it.
fn with_flags(command: Command, lookup: &Arc<Lookup>, is_option: bool) -> Command {
    let argument = |argument: Arg| {
        let hide = !is_option && !argument.is_positional();
        let argument = argument.hide(hide);
        if matches!(argument.get_id().as_str(), "flag" | "flags")
            && argument
                .get_value_names()
                .is_none_or(|names| names.iter().any(|name| name == "FLAG"))
        {
            let lookup = lookup.clone();
            argument.add(ArgValueCandidates::new(move || flags(&lookup)))
        } else {
            argument
        }
    };
    let command =
        command.mut_args(argument).disable_help_flag(!is_option).disable_version_flag(!is_option);
    command.mut_subcommands(|verb| with_flags(verb, lookup, is_option))
}

/// The typed options that say which server is asked.
fn server_options(typed: &[OsString]) -> Vec<OsString> {
    let mut options = vec![OsString::from("turnout")];
    let mut words = typed.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if WHICH_SERVER.contains(&&*text) {
            options.extend([Some(word), words.next()].into_iter().flatten().cloned());
        } else if WHICH_SERVER.iter().any(|name| text.starts_with(&format!("{name}="))) {
            options.push(word.clone());
        }
    }
    options
}

/// The flags there are; looked up once.
fn flags(lookup: &Lookup) -> Vec<CompletionCandidate> {
    static FLAGS: OnceLock<Vec<String>> = OnceLock::new();
    let names = FLAGS
        .get_or_init(|| of_server(&lookup.options).unwrap_or_else(|| of_folder(&lookup.flags)));
    // Anything but a key is not for a shell to insert.
    let is_key = |name: &&String| name.parse::<FlagKey>().is_ok();
    names.iter().filter(is_key).map(CompletionCandidate::new).collect()
}

fn of_server(options: &[OsString]) -> Option<Vec<String>> {
    let command = ServerArgs::augment_args(Command::new("turnout"));
    let server = command.try_get_matches_from(options).ok()?;
    let server = ServerArgs::from_arg_matches(&server).ok()?;
    let status = server.get_within::<Status>("/v1/status", QUICK)?;
    Some(status.flags.into_iter().map(|flag| flag.flag).collect())
}

fn of_folder(folder: &Path) -> Vec<String> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let name = |file: fs::DirEntry| {
        let name = file.file_name().into_string().ok()?;
        name.strip_suffix(".yaml").filter(|name| !name.starts_with('.')).map(str::to_owned)
    };
    let mut names: Vec<String> = files.flatten().filter_map(name).collect();
    names.sort_unstable();
    names
}

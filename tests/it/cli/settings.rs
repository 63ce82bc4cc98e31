//! Settings from the environment.

use std::fs;

use clap::{Args, Command};
use tempfile::TempDir;
use turnout::config::ServeArgs;

use crate::support::announced;
use crate::support::typed::{Server, output, turnout};

/// Every variable that `turnout serve` reads.
fn variables() -> Vec<String> {
    let command = ServeArgs::augment_args(Command::new("serve"));
    let names = command.get_arguments().filter_map(|argument| argument.get_env());
    names.map(|name| name.to_str().unwrap().to_owned()).collect()
}

/// `NAME=`, as compose files write it, counts as not set, for every setting.
#[test]
fn an_empty_variable_is_a_setting_that_is_not_set() {
    let variables = variables();
    assert!(variables.len() > 20, "{variables:?}");
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("flags")).unwrap();
    let log = home.path().join("log");
    let mut server = turnout();
    server
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .current_dir(home.path());
    server.envs(variables.iter().map(|name| (name, ""))).stderr(fs::File::create(&log).unwrap());
    let mut child = server.spawn().unwrap();
    // It serves ./flags and ./data, as if the settings were absent.
    announced::wait(&home.path().join("data"), &mut child, || fs::read_to_string(&log).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();

    let listen = || {
        output(
            turnout()
                .args(["--listen", "nowhere"])
                .env("TURNOUT_ADMIN_LISTEN", "")
                .current_dir(home.path()),
        )
    };
    let (exit, _, stderr) = listen();
    assert!(exit == 2 && !stderr.contains("--admin-listen"), "{exit} {stderr}");
}

/// The same for the commands that ask a server, and for `check`; on the command line an empty text
/// counts as a value.
#[test]
fn an_empty_variable_does_not_affect_a_command() {
    let server = Server::start();
    let empty = ["TURNOUT_TOKEN_FILE", "TURNOUT_BEARER_FILE", "TURNOUT_FLAGS", "NO_COLOR"];
    let flags = server.home.path().join("flags");
    for line in ["status chat", "ask chat --user u-1", "problems", "check"] {
        let mut command = server.command(line);
        let (exit, _, stderr) =
            output(command.envs(empty.map(|name| (name, ""))).current_dir(flags.parent().unwrap()));
        assert_eq!(exit, 0, "{line}: {stderr}");
    }
    let (exit, _, stderr) = output(server.command("status").args(["--token-file", ""]));
    assert_ne!(exit, 0, "{stderr}");
}

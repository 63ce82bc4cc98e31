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

/// A setting that no token or user can ever match is refused at the start, and an id is not quoted.
#[test]
fn what_can_never_match_is_refused() {
    use turnout::config::AuthArgs;
    let with = |issuer: &str, audience: &str| {
        let settings = AuthArgs {
            session_keys: "/keys".to_owned(),
            session_algorithm: "ES256".to_owned(),
            session_issuer: issuer.to_owned(),
            session_audience: audience.to_owned(),
            session_email_verified: "assumed".to_owned(),
            ..AuthArgs::default()
        };
        settings.check(None).err().map(|errors| errors.to_string()).unwrap_or_default()
    };
    const ISSUER: &str = "https://a.example/auth/v1";
    let long = "a".repeat(9_000);
    for (issuer, audience, named) in [
        (ISSUER, "authenticated", ""),
        (ISSUER, "two words", ""),
        (" https://a.example", "authenticated", "TURNOUT_SESSION_ISSUER"),
        ("https://a.example\n", "authenticated", "TURNOUT_SESSION_ISSUER"),
        ("'https://a.example'", "authenticated", "TURNOUT_SESSION_ISSUER"),
        (ISSUER, "\"authenticated\"", "TURNOUT_SESSION_AUDIENCE"),
        (ISSUER, "a\tb", "TURNOUT_SESSION_AUDIENCE"),
        (ISSUER, &long, "TURNOUT_SESSION_AUDIENCE"),
    ] {
        let said = with(issuer, audience);
        let is_named = if named.is_empty() { said.is_empty() } else { said.contains(named) };
        assert!(is_named, "{issuer:?} {audience:?}: {said}");
    }
    let long = format!("u-1,{}", "x".repeat(300));
    for (ids, says) in [(&*long, "entry 2 matches no user"), ("u-1,a\tb", "control character")] {
        let (exit, _, stderr) = output(turnout().arg("serve").env("INTERNAL_USER_IDS", ids));
        assert!(exit == 2 && stderr.contains(says) && !stderr.contains("xxx"), "{stderr}");
    }
}

//! What shells complete: a real bash against a real server, and what the program offers each shell.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::typed::{Server, output, turnout, words};

/// What bash offers for the last of these words, which is not finished.
fn bash(folder: &Path, typed: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let program = turnout().get_program().to_str().unwrap().to_owned();
    let script = format!(
        "source <({program} completions bash); COMP_WORDS=(turnout \"$@\"); COMP_CWORD=$#; \
         _clap_complete_turnout turnout \"${{@: -1}}\" turnout; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", &script, "bash"]).args(typed).current_dir(folder);
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TURNOUT_")) {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let (exit, offered, said) = output(&mut command);
    assert_eq!((exit, &*said), (0, ""), "{typed:?}: {offered}");
    offered.lines().map(str::to_owned).filter(|word| !word.is_empty()).collect()
}

#[test]
fn bash_offers_flags_by_name_and_verbs_without_options() {
    let server = Server::start();
    let (home, elsewhere) = (server.home.path(), tempfile::TempDir::new().unwrap());
    let data = home.join("data");
    let known = [("TURNOUT_DATA", data.to_str().unwrap())];
    let flags = ["chat", "search"];
    for (typed, wanted) in [
        (&["stop", ""][..], &flags[..]),
        (&["stop", "se"], &["search"]),
        (&["set", "c"], &["chat"]),
        (&["status", ""], &flags),
        (&["list", ""], &flags),
        (&["rollback", "--reason", "why", ""], &flags),
        (&["token", "create", "oncall", "--flag", ""], &flags),
        (&["stop", "--al"], &["--all"]),
        (&["resum"], &["resume"]),
        (&["lis"], &["list"]),
    ] {
        assert_eq!(bash(home, typed, &known), wanted, "{typed:?}");
    }
    let verbs = bash(home, &[""], &known);
    for verb in ["stop", "status", "set"] {
        assert!(verbs.iter().any(|offered| offered == verb), "{verb}: {verbs:?}");
    }
    assert!(verbs.iter().all(|verb| !verb.starts_with('-')), "no option is a verb: {verbs:?}");

    // By the options that were typed; then by the folder of flags, where no server is; then nothing.
    let typed = ["stop", "--data", data.to_str().unwrap(), ""];
    assert_eq!(bash(elsewhere.path(), &typed, &[]), flags);
    let nowhere = ("TURNOUT_SERVER", "http://127.0.0.1:1");
    assert_eq!(bash(home, &["stop", ""], &[nowhere]), flags);
    assert_eq!(bash(elsewhere.path(), &["stop", ""], &[nowhere]), [""; 0]);
}

#[test]
fn every_shell_is_answered() {
    let home = tempfile::TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (exit, script, said) = output(turnout().args(["completions", shell]));
        assert_eq!((exit, &*said), (0, ""), "{shell}");
        assert!(script.contains("TURNOUT_COMPLETE") && script.contains("turnout"), "{script}");
        for (typed, wanted) in [
            ("turnout expl", "explain"),
            ("turnout check --form", "--format"),
            ("turnout check --format js", "json"),
            ("turnout ask --bearer", "--bearer-file"),
            ("turnout status --wat", "--watch"),
        ] {
            let typed = words(typed);
            let mut asked = turnout();
            asked.arg("--").args(&typed).env("TURNOUT_COMPLETE", shell);
            asked.env("_CLAP_COMPLETE_INDEX", (typed.len() - 1).to_string());
            asked.current_dir(home.path());
            let (exit, offered, said) = output(&mut asked);
            assert_eq!((exit, &*said), (0, ""), "{shell}: {typed:?}");
            assert!(offered.contains(wanted), "{shell}: {typed:?}: {offered}");
        }
    }
}

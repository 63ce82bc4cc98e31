//! `turnout retire`: what it writes, and what it asks for first.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::flag;

#[test]
fn a_flag_is_given_up_in_the_folder() {
    let home = TempDir::new().unwrap();
    let flags = home.path().join("flags");
    fs::create_dir_all(flags.join("tests")).unwrap();
    fs::write(flags.join("tiny.yaml"), flag("tiny", "")).unwrap();
    fs::write(flags.join("other.yaml"), flag("other", "")).unwrap();
    fs::write(flags.join("tests/tiny.yaml"), "flag: tiny\ncases: [{ user: u, expect: polling }]\n")
        .unwrap();
    fs::write(flags.join("retired.txt"), "older").unwrap();
    let turnout = |verb: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
        command.args(verb.split_whitespace()).current_dir(home.path()).stdin(Stdio::null());
        for name in ["TURNOUT_FLAGS", "INTERNAL_USER_IDS", "GITHUB_WORKSPACE"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    // (what is typed, how it ends, what it says)
    let table = [
        ("retire tny", 2, "there is no ./flags/tny.yaml (did you mean `tiny`?)"),
        (
            "retire tiny --reason moved",
            0,
            "./flags/retired.txt has a line for tiny, and ./flags/tiny.yaml is removed\n./flags/tests/tiny.yaml tests it",
        ),
        ("retire tiny", 0, "tiny is retired"),
        (
            "retire gone --yes",
            0,
            "./flags/retired.txt has a line for gone; there is no ./flags/gone.yaml",
        ),
        ("retire other --flags ./nowhere", 4, "nowhere does not exist"),
    ];
    for (typed, exit, says) in table {
        let (ended, said) = turnout(typed);
        assert_eq!(ended, exit, "{typed}: {said}");
        assert!(said.contains(says), "{typed}: {said}");
    }
    let list = fs::read_to_string(flags.join("retired.txt")).unwrap();
    assert_eq!(list, "older\ntiny   # moved\ngone\n");
    assert!(!flags.join("tiny.yaml").exists() && flags.join("other.yaml").exists());

    fs::remove_file(flags.join("tests/tiny.yaml")).unwrap();
    assert_eq!(turnout("check flags").0, 0);
    fs::write(flags.join("tiny.yaml"), flag("tiny", "")).unwrap();
    let (ended, said) = turnout("check flags");
    assert!(ended == 1 && said.contains("error[retired-key]"), "{said}");
}

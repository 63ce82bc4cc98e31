//! What `turnout check` makes of single files, of files in the wrong place, and of paths in a
//! repository: editors, commit hooks and runners name files their own way.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

fn flag(key: &str, more: &str) -> String {
    format!(
        "version: 1\nflag: {key}\nenabled: true\ndefault: polling\nwhen_stopped: polling\n{more}"
    )
}

/// A folder with a flag that its table passes, one that its table fails, and one that names a
/// broken segment; and with files that are not read.
fn folder() -> TempDir {
    let home = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("flags/good.yaml", &flag("good", "allow: [{ segment: staff, strategy: realtime-v2 }]\n"));
    write("flags/failed.yaml", &flag("failed", ""));
    write(
        "flags/blocked.yaml",
        &flag("blocked", "allow: [{ segment: broken, strategy: realtime-v2 }]\n"),
    );
    write("flags/segments/staff.yaml", "version: 1\nsegment: staff\nusers_file: lists/staff.txt\n");
    write("flags/segments/broken.yaml", "version: 1\nsegment: broken\nuser: [u]\n");
    write("flags/lists/staff.txt", "u-1\n");
    write("flags/tests/good.yaml", "flag: good\ncases: [{ user: u, expect: polling }]\n");
    write("flags/tests/failing.yaml", "flag: failed\ncases: [{ user: u, expect: disabled }]\n");
    write("flags/team/lost.yaml", "version: 1\n");
    write("flags/examples/other/good.yaml", &flag("good", ""));
    write("flags/README.md", "flags\n");
    home
}

fn check(from: &Path, arguments: &[&str], workspace: Option<&Path>) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command.arg("check").args(arguments).current_dir(from);
    for name in ["TURNOUT_FLAGS", "INTERNAL_USER_IDS", "GITHUB_WORKSPACE"] {
        command.env_remove(name);
    }
    if let Some(workspace) = workspace {
        command.env("GITHUB_WORKSPACE", workspace);
    }
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_single_file_is_checked_as_what_its_place_says() {
    let home = folder();
    let table: [(&str, &str, i32, &str); 15] = [
        (".", "flags/good.yaml", 0, "flags/good.yaml: all good"),
        ("flags", "good.yaml", 0, "good.yaml: all good"),
        ("flags", "./good.yaml", 0, "./good.yaml: all good"),
        ("flags/segments", "staff.yaml", 0, "staff.yaml: all good"),
        ("flags/segments", "../good.yaml", 0, "../good.yaml: all good"),
        ("flags/tests", "good.yaml", 0, "good.yaml: all good"),
        (".", "flags/tests/good.yaml", 0, "flags/tests/good.yaml: all good"),
        (".", "flags/segments/broken.yaml", 1, "flags/segments/broken.yaml: 1 error"),
        (".", "flags/tests/failing.yaml", 1, "flags/tests/failing.yaml: 1 failed test"),
        (".", "flags/lists/staff.txt", 0, "flags/lists/staff.txt: all good"),
        ("flags/lists", "staff.txt", 0, "staff.txt: all good"),
        // What keeps a flag from going live counts for the flag's file.
        (".", "flags/failed.yaml", 1, "flags/failed.yaml: 1 failed test"),
        ("flags", "blocked.yaml", 1, "blocked.yaml: 1 error"),
        // What is not read is not good.
        (".", "flags/README.md", 0, "flags/README.md: not read, 1 note"),
        (".", "flags/examples/other", 0, "1 flag, 0 segments, 0 tests: all good"),
    ];
    for (from, path, exit, verdict) in table {
        let (got, stdout) = check(&home.path().join(from), &[path], None);
        let last = stdout.lines().last().unwrap();
        assert!(got == exit && last.contains(verdict), "{path} from {from}: {got}\n{stdout}");
    }
}

#[test]
fn a_folder_names_the_files_that_are_not_read() {
    let home = folder();
    let (exit, stdout) = check(home.path(), &["flags", "--format", "json"], None);
    let whole: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(exit, 1);
    let notes = whole["notes"].as_array().unwrap();
    let files: Vec<&Json> = notes.iter().map(|note| &note["file"]).collect();
    assert_eq!(files, [&json!("flags/team/lost.yaml")], "{stdout}");
    assert_eq!(notes[0]["code"], "unread-file");
}

#[test]
fn programs_get_paths_from_the_root_of_the_repository() {
    let home = folder();
    let flags = home.path().join("flags");
    let whole = fs::canonicalize(flags.join("failed.yaml")).unwrap();
    let whole = whole.to_str().unwrap();
    let inside = "flags/tests/failing.yaml";
    let other = TempDir::new().unwrap();
    let elsewhere = whole.replace("failed.yaml", "tests/failing.yaml");
    // From where, with which workspace, whether the folder is a repository: the file's path.
    let table: [(&str, Option<&Path>, bool, &str); 5] = [
        (".", Some(home.path()), false, inside),
        ("flags", Some(home.path()), false, inside),
        ("flags/segments", None, true, inside),
        ("flags", Some(other.path()), true, &elsewhere),
        ("flags", None, false, "tests/failing.yaml"),
    ];
    for (from, workspace, is_repository, wanted) in table {
        let marker = home.path().join(".git");
        if is_repository {
            fs::create_dir_all(&marker)
        } else {
            fs::remove_dir(&marker).or(Ok(()))
        }
        .unwrap();
        let path = match from {
            "." => "flags/tests/failing.yaml",
            "flags" => "./tests/failing.yaml",
            _ => "../tests/failing.yaml",
        };
        let from = home.path().join(from);
        let (_, github) = check(&from, &[path, "--format", "github"], workspace);
        let start = format!("::error file={wanted},line=");
        assert!(github.starts_with(&start), "{}: {github}", from.display());
        let (_, sarif) = check(&from, &[path, "--format", "sarif"], workspace);
        let sarif: Json = serde_json::from_str(&sarif).unwrap();
        let uri = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
            ["uri"];
        let uri = uri.as_str().unwrap();
        assert_eq!(uri.strip_prefix("file://").unwrap_or(uri), wanted);
    }
}

/// A user of a real segment is in none while tests run, which a failing test does not show.
#[test]
fn a_failing_test_about_a_segments_user_says_how_to_name_the_segment() {
    let home = folder();
    let tested = "allow: [{ segment: staff, strategy: realtime-v2 }]\ntests: [{ user: u-1, expect: realtime-v2 }]\n";
    fs::write(home.path().join("flags/good.yaml"), flag("good", tested)).unwrap();
    let (exit, stdout) = check(home.path(), &["flags/good.yaml"], None);
    assert!(exit == 1 && stdout.contains("say so with `segments: [staff]`"), "{stdout}");
}

#[test]
fn flags_that_share_a_salt_are_pointed_out() {
    let home = TempDir::new().unwrap();
    let write = |key: &str, more: &str| {
        fs::write(home.path().join(format!("{key}.yaml")), flag(key, more)).unwrap();
    };
    let split = "rollout: { realtime-v2: 10% }\n";
    write("first", &format!("salt: one\n{split}"));
    // Without a split, no user is drawn.
    write("whole", "salt: one\nrollout: { realtime-v2: 100% }\n");
    let folder = [home.path().to_str().unwrap()];
    assert!(check(home.path(), &folder, None).1.ends_with("all good\n"));
    write("second", &format!("salt: one\n{split}"));
    let (exit, stdout) = check(home.path(), &folder, None);
    assert!(exit == 0 && stdout.contains("note[shared-salt]: `second` and `first`"), "{stdout}");
    assert!(stdout.ends_with("all good, 1 note\n"), "{stdout}");
    // A flag with the key that another has as its salt is one more of them.
    write("second", "rollout: { realtime-v2: 10% }\nsalt: third\n");
    write("third", split);
    assert!(check(home.path(), &folder, None).1.contains("`third` and `second`"));
}

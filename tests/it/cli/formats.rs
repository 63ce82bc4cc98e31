//! What `turnout check` prints for programs.

use std::fs;
use std::process::Command;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::definition::Code;

/// A folder with findings of each kind: with and without a place, with a hint, a failed test, an
/// awkward name.
fn folder() -> TempDir {
    let home = TempDir::new().unwrap();
    let flag = |key: &str, more: &str| {
        format!(
            "version: 1\nflag: {key}\nenabled: true\ndefault: polling\nwhen_stopped: polling\n{more}"
        )
    };
    let write = |name: &str, text: String| fs::write(home.path().join(name), text).unwrap();
    write("good.yaml", flag("good", ""));
    write("empty.yaml", String::new());
    write("share.yaml", flag("share", "rollout: { realtime-v2: 10 }\n"));
    write("tested.yaml", flag("tested", "tests: [{ user: u-4711, expect: disabled }]\n"));
    write("50%, odd: name.yaml", flag("odd", ""));
    home
}

fn check(home: &TempDir, format: &str, path: &str) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .args(["check", "--format", format, path])
        .current_dir(home.path())
        .env_remove("TURNOUT_FLAGS")
        .env_remove("GITHUB_WORKSPACE")
        .env_remove("INTERNAL_USER_IDS")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn check_prints_one_json_object() {
    let home = folder();
    let (exit, stdout) = check(&home, "json", ".");
    let whole: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(exit, 1);
    assert_eq!(whole["files"].as_array().unwrap().len(), 5);
    let finding = |file: &str| {
        whole["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["file"] == file)
            .cloned()
            .unwrap()
    };
    assert_eq!(
        finding("./share.yaml"),
        json!({
            "code": "bad-share", "file": "./share.yaml", "line": 6, "column": 25,
            "message": "the share of `realtime-v2`: a share is written with a per cent sign", "hint": "write 10%",
        })
    );
    let empty = finding("./empty.yaml");
    assert_eq!(
        (&empty["code"], &empty["line"], &empty["column"]),
        (&json!("empty"), &Json::Null, &Json::Null)
    );
    assert_eq!(
        whole["summary"],
        json!({ "good": false, "flags": 4, "segments": 0, "tests": 1, "errors": 3, "failedTests": 1 })
    );
    assert!(!stdout.contains("u-4711"), "no line of a file is quoted: {stdout}");

    let (exit, stdout) = check(&home, "json", "good.yaml");
    let whole: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!((exit, &whole["files"], &whole["findings"]), (0, &json!(["good.yaml"]), &json!([])));
}

#[test]
fn check_sarif_names_every_rule_and_place() {
    let home = folder();
    let (exit, stdout) = check(&home, "sarif", ".");
    let whole: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!((exit, &whole["version"]), (1, &json!("2.1.0")));
    let run = &whole["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), Code::ALL.len());
    assert!(
        rules.iter().all(|rule| !rule["shortDescription"]["text"].as_str().unwrap().is_empty())
    );
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for result in results {
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        assert_eq!(result["level"], "error");
    }
    let location = |rule: &str| {
        let result = results.iter().find(|result| result["ruleId"] == rule).unwrap();
        result["locations"][0]["physicalLocation"].clone()
    };
    assert_eq!(
        location("bad-share"),
        json!({ "artifactLocation": { "uri": "share.yaml" }, "region": { "startLine": 6, "startColumn": 25 } })
    );
    assert_eq!(location("empty"), json!({ "artifactLocation": { "uri": "empty.yaml" } }));
    assert_eq!(
        location("bad-file-name"),
        json!({ "artifactLocation": { "uri": "50%25%2C%20odd%3A%20name.yaml" } })
    );

    fs::create_dir(home.path().join("segments")).unwrap();
    fs::write(home.path().join("segments/s.yaml"), "version: 1\n").unwrap();
    let (exit, stdout) = check(&home, "sarif", "segments/s.yaml");
    assert!(exit == 1 && stdout.contains(r#""uri": "segments/s.yaml""#), "{stdout}");

    let (exit, stdout) = check(&home, "sarif", "good.yaml");
    let whole: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!((exit, &whole["runs"][0]["results"]), (0, &json!([])));
}

#[test]
fn check_github_prints_one_command_per_line() {
    let home = folder();
    let (exit, stdout) = check(&home, "github", ".");
    assert_eq!(exit, 1);
    for line in [
        "::error file=share.yaml,line=6,col=25,title=bad-share::\
         the share of `realtime-v2`: a share is written with a per cent sign%0Ahelp: write 10%25",
        "::error file=50%25%2C odd%3A name.yaml,title=bad-file-name::",
        "::error file=tested.yaml,line=6,col=9,title=failed-test::test failed: expected disabled",
        ".: 4 flags, 0 segments, 1 test: 3 errors, 1 failed test",
    ] {
        assert!(stdout.lines().any(|printed| printed.starts_with(line)), "no {line} in:\n{stdout}");
    }
    assert_eq!(check(&home, "github", "good.yaml"), (0, "good.yaml: all good\n".to_owned()));
}

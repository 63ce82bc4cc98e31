//! The commands and samples of docs/HTTP.md and docs/OPERATIONS.md, as they stand there, against a
//! real server: only its addresses and folders are others.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use turnout::auth::ServerKeys;

use crate::support::flag;
use crate::support::program::{Program, home};

const SERVER_KEY: &str = "a-server-key-of-this-test-alone";

/// The fenced parts of this language.
fn fences(page: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = fs::read_to_string(path).unwrap();
    let parts = text.split("\n```").skip(1).step_by(2);
    let of_language = |part: &str| {
        let (name, content) = part.split_once('\n')?;
        (name == language).then(|| content.to_owned())
    };
    parts.filter_map(of_language).collect()
}

/// What a shell prints for these lines, in the folder of the program.
fn typed(program: &Program, lines: &str) -> (bool, String) {
    let path = program.home.path();
    let lines = lines
        .replace("curl ", "curl -fsS ")
        .replace("localhost:7070", &program.url(""))
        .replace("http://127.0.0.1:7071", &program.admin_url(""));
    let mut shell = Command::new("sh");
    shell.args(["-c", &lines]).current_dir(path).env("KEY", SERVER_KEY);
    let output = shell.output().unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), printed)
}

#[tokio::test]
async fn what_the_pages_show_works_as_it_is_written() {
    let text = flag("build-events", "attributes: { plan: text }");
    let folder = home(&[("build-events.yaml", &text)]);
    let keys = folder.path().join("server-keys");
    fs::write(&keys, ServerKeys::line("shop", SERVER_KEY, "")).unwrap();
    let settings = [("TURNOUT_SERVER_KEYS_FILE", keys.to_str().unwrap())];
    let mut program = Program::start(folder, &settings);
    program.serves().await;

    let mut calls = 0;
    for page in ["HTTP.md", "OPERATIONS.md"] {
        for lines in fences(page, "sh").iter().filter(|lines| lines.starts_with("curl ")) {
            let (is_done, printed) = typed(&program, lines);
            assert!(is_done, "{page}: {lines}\n{printed}");
            serde_json::from_str::<Json>(&printed).unwrap();
            calls += 1;
        }
    }
    assert_eq!(calls, 4, "calls of both pages");

    // The sample of a report, by a session that was made after all of its user's were revoked.
    let made = fences("HTTP.md", "sh").into_iter().find(|lines| lines.contains("/v1/sessions \\"));
    let (_, printed) = typed(&program, &made.unwrap());
    let answer: Json = serde_json::from_str(&printed).unwrap();
    let session = answer["session"].as_str().unwrap();
    for sample in fences("HTTP.md", "json") {
        let report = program.client.post(program.url("/v1/reports")).bearer_auth(session);
        let answer = report.body(sample.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{sample}");
    }

    // A backup while it runs, and its restore once it is stopped.
    let lines = fences("OPERATIONS.md", "sh").into_iter().find(|text| text.contains(" backup "));
    let lines = lines.unwrap().replace("/var/lib/turnout", "data");
    let lines = lines.replace("/var/backups/turnout-monday", "monday");
    let lines = lines.replace("turnout ", &format!("{} ", env!("CARGO_BIN_EXE_turnout")));
    let [backup, restore] = &lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
    let (is_done, printed) = typed(&program, backup);
    assert!(is_done, "{backup}\n{printed}");
    program.signal("TERM");
    assert_eq!(program.exit().await, Some(0));
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", restore]).current_dir(program.home.path()).output().unwrap();
    assert!(output.status.success(), "{restore}\n{}", String::from_utf8_lossy(&output.stderr));
}

//! What the public listener answers does not change: 1,000 requests get the recorded answers, byte
//! for byte, heads and bodies.
//!
//! The record is `tests/vectors/public-answers.jsonl`, one line an answer. A change of that file is
//! a change of the public contract: it is meant and reviewed, and goes into the changelog.
//! `TURNOUT_RECORD_ANSWERS=1 cargo test --test it contract::recorded` writes the file anew.
//!
//! A line holds which service was asked (`services.rs` says how each is set up), the request, and
//! the answer's status line, its headers in the order in which they arrived, and its body. Headers
//! and a body that an earlier line holds already are named by the number of that line, which keeps
//! the file small. A text in `<<…>>` stands for what one run has and another has not; `client.rs` says what
//! and why.

mod client;
mod requests;
mod services;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use client::{Answer, Client};
use requests::Request;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/public-answers.jsonl");
const REQUESTS: usize = 1_000;
/// The file is read by people, and each clone of the project carries it.
const MAX_FILE_BYTES: usize = 600_000;
/// A body that is shorter stands in each line that has it.
const SHORT_BYTES: usize = 40;
/// How many problems the service `open` has once the questions with mistakes were asked: these are
/// reported within a second.
const OPEN_PROBLEMS: u64 = 6;
/// So many differences are shown, one by one.
const SHOWN: usize = 5;

#[tokio::test]
async fn a_thousand_recorded_answers_are_given_again() {
    let requests = requests::all(REQUESTS);
    assert_eq!(requests.len(), REQUESTS);
    let (services, _keys) = services::start().await;
    let mut clients: HashMap<&str, Client> =
        services.iter().map(|started| (started.name, Client::of(started))).collect();
    let mut record = Record::default();
    for request in &requests {
        if (request.at, request.asks.as_str()) == ("open", "GET /readyz") {
            let open = services.iter().find(|started| started.name == "open").unwrap();
            open.service.reach_problems(|count| count == OPEN_PROBLEMS).await;
        }
        let answer = clients.get_mut(request.at).unwrap().ask(request).await;
        record.add(request, answer);
    }
    drop(clients);
    let text = record.lines.iter().map(|line| line.to_string() + "\n").collect::<String>();
    assert!(text.len() < MAX_FILE_BYTES, "the record has {} bytes", text.len());
    if std::env::var_os("TURNOUT_RECORD_ANSWERS").is_some() {
        fs::write(FILE, text).unwrap();
    }
    compare(Path::new(FILE), &record.lines);
}

/// The lines of the file.
#[derive(Default)]
struct Record {
    lines: Vec<Json>,
    /// In which line each long body stands, counted from 1.
    bodies: HashMap<String, usize>,
    /// In which line each list of headers stands.
    headers: HashMap<Vec<String>, usize>,
}

impl Record {
    fn add(&mut self, request: &Request, answer: Answer) {
        let mut line = json!({ "at": request.at, "asks": request.asks });
        if !request.with.is_empty() {
            line["with"] = json!(request.with);
        }
        if let Some(body) = &request.body {
            line["body"] = json!(body);
        }
        line["status"] = json!(answer.status);
        let number = self.lines.len() + 1;
        let first = *self.headers.entry(answer.headers.clone()).or_insert(number);
        if first == number {
            line["headers"] = json!(answer.headers);
        } else {
            line["headersOfLine"] = json!(first);
        }
        let first = *self.bodies.entry(answer.body.clone()).or_insert(number);
        if first == number || answer.body.len() < SHORT_BYTES {
            line["answer"] = json!(answer.body);
        } else {
            line["answerOfLine"] = json!(first);
        }
        self.lines.push(line);
    }
}

fn compare(file: &Path, got: &[Json]) {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let recorded: Vec<Json> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(recorded.len(), got.len(), "{} has another number of answers", file.display());
    let differing: Vec<usize> =
        (0..got.len()).filter(|index| recorded[*index] != got[*index]).collect();
    let shown: String = differing
        .iter()
        .take(SHOWN)
        .map(|index| difference(index + 1, &recorded[*index], &got[*index]))
        .collect();
    assert!(
        differing.is_empty(),
        "{} of {} answers are not as {} has them; the first of them:\n{shown}",
        differing.len(),
        got.len(),
        file.display()
    );
}

/// The members of a line that differ.
fn difference(number: usize, recorded: &Json, got: &Json) -> String {
    let mut text = format!("line {number}, {} at {}\n", got["asks"], got["at"]);
    for name in [
        "at",
        "asks",
        "with",
        "body",
        "status",
        "headers",
        "headersOfLine",
        "answer",
        "answerOfLine",
    ] {
        if recorded[name] != got[name] {
            text += &format!(
                "  {name}\n    recorded: {}\n    got:      {}\n",
                recorded[name], got[name]
            );
        }
    }
    text
}

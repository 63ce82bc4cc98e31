//! Whether the service runs, what is wrong at the moment, and the OpenAPI document.

use std::sync::OnceLock;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::admin_document;
use super::answer::json as answer;
use super::state::AdminState;
use crate::control::StandingProblem;
use crate::definition::Finding;

pub async fn alive(State(state): State<AdminState>) -> Response<Body> {
    answer(&state, StatusCode::OK, &json!({ "status": "ok" }))
}

pub async fn openapi(State(state): State<AdminState>) -> Response<Body> {
    static DOCUMENT: OnceLock<Json> = OnceLock::new();
    answer(&state, StatusCode::OK, DOCUMENT.get_or_init(admin_document))
}

/// What is wrong with the files and with everything else, and how changes of the folder are
/// noticed.
pub async fn problems(State(state): State<AdminState>) -> Response<Body> {
    let found = &state.public.problems;
    let (findings, troubles) = (found.found(), found.troubles());
    let all: Vec<Json> =
        findings.iter().map(of_a_file).chain(troubles.iter().map(of_all_else)).collect();
    let body = json!({
        "flags": state.flags,
        "watch": state.watch.as_str(),
        "position": state.public.live.current().position().to_string(),
        "problems": all,
    });
    answer(&state, StatusCode::OK, &body)
}

fn of_a_file((finding, since_ms): &(Finding, i64)) -> Json {
    json!({
        "code": finding.code.as_str(),
        "file": &*finding.file,
        "line": finding.place.map(|place| place.line),
        "column": finding.place.map(|place| place.column),
        "subject": null,
        "message": &finding.message,
        "hint": &finding.hint,
        "sinceMs": since_ms,
    })
}

fn of_all_else(StandingProblem { trouble, since_ms }: &StandingProblem) -> Json {
    json!({
        "code": trouble.kind.as_str(),
        "file": null,
        "line": null,
        "column": null,
        "subject": &trouble.subject,
        "message": &trouble.message,
        "hint": &trouble.hint,
        "sinceMs": since_ms,
    })
}

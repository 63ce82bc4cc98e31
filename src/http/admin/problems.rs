//! Whether the service runs, what is wrong at the moment, and the OpenAPI document.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use turnout_api::admin::problems::{self as messages, Problems, WatchMode};
use turnout_api::probes::{Alive, Health};

use super::answer::{json as answer, respond};
use super::state::AdminState;
use crate::control::StandingProblem;
use crate::definition::Finding;

pub async fn alive(State(state): State<AdminState>) -> Response<Body> {
    answer(&state, StatusCode::OK, &Health { status: Alive::Ok })
}

pub async fn openapi(State(state): State<AdminState>) -> Response<Body> {
    respond(&state, StatusCode::OK, "application/json", state.contract.body().clone())
}

/// What is wrong with the files and with everything else, and how changes of the folder are
/// noticed.
pub async fn problems(State(state): State<AdminState>) -> Response<Body> {
    let found = &state.public.problems;
    let (findings, troubles) = (found.found(), found.troubles());
    let all = findings.iter().map(of_a_file).chain(troubles.iter().map(of_all_else)).collect();
    let watch = if state.watch.is_polling() { WatchMode::Polling } else { WatchMode::Events };
    let body = Problems {
        flags: state.flags.clone(),
        watch,
        position: state.public.live.current().position().to_string(),
        problems: all,
    };
    answer(&state, StatusCode::OK, &body)
}

fn of_a_file((finding, since_ms): &(Finding, i64)) -> messages::StandingProblem {
    messages::StandingProblem {
        code: finding.code.as_str().to_owned(),
        file: Some(finding.file.to_string()),
        line: finding.place.map(|place| place.line),
        column: finding.place.map(|place| place.column),
        subject: None,
        message: finding.message.clone(),
        hint: Some(finding.hint.clone()),
        since_ms: *since_ms,
    }
}

fn of_all_else(
    StandingProblem { trouble, since_ms }: &StandingProblem,
) -> messages::StandingProblem {
    messages::StandingProblem {
        code: trouble.kind.as_str().to_owned(),
        file: None,
        line: None,
        column: None,
        subject: trouble.subject.clone(),
        message: trouble.message.clone(),
        hint: Some(trouble.hint.clone()),
        since_ms: *since_ms,
    }
}

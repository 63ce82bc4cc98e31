//! The calls that show the service: whether it runs, how it stands, and what is wrong.

use turnout_api::admin::flags::{FlagState, Status};
use turnout_api::admin::hello::{Hello, HelloRequest};
use turnout_api::admin::problems::Problems;
use turnout_api::probes::Health;

use super::call::{answered, call, found, reading, with_a_body};
use crate::http::error::ApiError;
use crate::http::openapi::{MessageSchema, Operation, any_object, text};

pub fn alive() -> Operation {
    call(
        "adminAlive",
        "It runs",
        found::<Health>("It runs."),
        vec![ApiError::WrongHost, ApiError::NoSuchMethod],
    )
}

pub fn hello() -> Operation {
    let mut refusals = with_a_body();
    refusals.extend([ApiError::WrongHost, ApiError::NoToken, ApiError::NoSuchMethod]);
    let mut operation = call(
        "hello",
        "The server shows that it knows a token",
        found::<Hello>("It does."),
        refusals,
    );
    operation.says = "For a caller over plain http that has not sent its token yet: a program that took the port cannot answer.";
    operation.taking::<HelloRequest>()
}

pub fn openapi() -> Operation {
    let document =
        answered("The document.", "application/json", MessageSchema::inline(any_object()));
    reading("adminOpenapi", "This document", document, vec![])
}

pub fn metrics() -> Operation {
    let text = MessageSchema::inline(text());
    let counters = answered("OpenMetrics.", crate::telemetry::metrics::OPENMETRICS, text);
    reading("metrics", "Counters and gauges", counters, vec![])
}

pub fn problems_there_are() -> Operation {
    reading(
        "problems",
        "What is wrong at the moment, and the fix",
        found::<Problems>("The problems; none is an empty list."),
        vec![],
    )
}

pub fn status() -> Operation {
    reading(
        "status",
        "How it stands: the database, then every flag",
        found::<Status<Vec<FlagState>>>("How it stands."),
        vec![],
    )
}

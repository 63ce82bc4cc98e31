//! What every call of the listener has in common.

use std::time::Duration;

use utoipa::ToSchema;

use crate::http::bad_request::BadRequest;
use crate::http::error::ApiError;
use crate::http::openapi::{
    MessageSchema, Operation, Parameter, RequestBody, ResponseSpec, key, of_refusals,
};
use crate::http::server::TooSlow;
use crate::ledger::Role;

/// A call, with its one successful response.
pub fn call(
    id: &'static str,
    summary: &'static str,
    good: ResponseSpec,
    refusals: Vec<ApiError>,
) -> Operation {
    let mut answers = vec![good];
    answers.extend(of_refusals(&refusals));
    Operation {
        id,
        summary,
        says: "",
        parameters: Vec::new(),
        takes: RequestBody::Nothing,
        answers,
    }
}

/// A call that takes a token.
pub fn look(
    id: &'static str,
    summary: &'static str,
    good: ResponseSpec,
    more: Vec<ApiError>,
) -> Operation {
    let mut refusals = vec![
        ApiError::WrongHost,
        ApiError::NoToken,
        ApiError::NotPermitted { role: Role::Viewer, takes: "" },
        ApiError::NoSuchMethod,
    ];
    refusals.extend(more);
    call(id, summary, good, refusals)
}

/// A call that waits for its turn among those that only read.
pub fn reading(
    id: &'static str,
    summary: &'static str,
    good: ResponseSpec,
    mut more: Vec<ApiError>,
) -> Operation {
    more.push(ApiError::Busy);
    look(id, summary, good, more)
}

/// What any call with a body may be refused for.
pub fn with_a_body() -> Vec<ApiError> {
    vec![
        invalid_request(),
        BadRequest::TooLarge(String::new()).into(),
        BadRequest::TooSlow(TooSlow(Duration::ZERO)).into(),
    ]
}

pub fn invalid_request() -> ApiError {
    ApiError::InvalidRequest(String::new())
}

pub fn found<T: ToSchema>(says: &str) -> ResponseSpec {
    answered(says, "application/json", MessageSchema::of::<T>())
}

pub fn answered(says: &str, media_type: &'static str, schema: MessageSchema) -> ResponseSpec {
    ResponseSpec {
        status: 200,
        says: says.to_owned(),
        headers: vec![("Turnout-Revision", true)],
        content: Some((media_type, schema)),
    }
}

pub fn flag_in_path() -> Parameter {
    Parameter::in_path("flag", "The flag's key.", key())
}

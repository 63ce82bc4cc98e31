//! The responses of a call that is refused, from the one table of errors.

use serde_json::Value as Json;
use turnout_api::admin::commands::{Conflict, Widening};
use turnout_api::ofrep::{Failure, RequestFailure};
use turnout_api::problem::{CursorProblem, Problem};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType};

use super::operation::ResponseSpec;
use super::schema::MessageSchema;
use crate::http::error::ApiError;

/// The responses of these refusals as problem details, one for each status.
pub fn problems(refusals: &[ApiError]) -> Vec<ResponseSpec> {
    by_status(refusals, "application/problem+json", |of_status| {
        let codes = of_status.iter().map(|refusal| refusal.status_and_code().1.as_str());
        let status = of_status.first().map(|refusal| refusal.status_and_code().0.as_u16());
        let has_cursor = |refusal: &&ApiError| {
            matches!(refusal, ApiError::StreamReset(_) | ApiError::CursorExpired(_))
        };
        // One of these says what was changed meanwhile.
        let is_order = |refusal: &&ApiError| matches!(refusal, ApiError::Order { .. });
        let problem = if of_status.iter().any(has_cursor) {
            MessageSchema::of::<CursorProblem>()
        } else if status == Some(409) && of_status.iter().any(is_order) {
            MessageSchema::of::<Conflict>()
        } else if status == Some(403) && of_status.iter().any(is_order) {
            MessageSchema::of::<Widening>()
        } else {
            MessageSchema::of::<Problem>()
        };
        let members = only("status", status).property("code", one_of(distinct(codes)));
        problem.with_members(members)
    })
}

/// The responses of these refusals on the admin listener.
pub fn of_refusals(refusals: &[ApiError]) -> Vec<ResponseSpec> {
    let mut answers = problems(refusals);
    answers
        .iter_mut()
        .for_each(|answers| answers.headers.retain(|(name, _)| *name != "Turnout-Stale"));
    answers
}

/// The responses of these refusals in OFREP's shape: a failure of one flag, or of the whole
/// request.
pub fn failures(refusals: &[ApiError], of_one_flag: bool) -> Vec<ResponseSpec> {
    by_status(refusals, "application/json", |of_status| {
        let codes = of_status.iter().map(|refusal| refusal.ofrep_code().as_str());
        // A response to an unsupported method cannot name the flag: the path was not read.
        let is_named = of_one_flag && !of_status.contains(&&ApiError::NoSuchMethod);
        let failure = if is_named {
            MessageSchema::of::<Failure>()
        } else {
            MessageSchema::of::<RequestFailure>()
        };
        failure.with_members(only("errorCode", distinct(codes)))
    })
}

/// The headers of every response.
pub const ALWAYS: [(&str, bool); 2] = [("Turnout-Revision", true), ("Turnout-Stale", true)];

fn by_status(
    refusals: &[ApiError],
    media_type: &'static str,
    schema: impl Fn(&[&ApiError]) -> MessageSchema,
) -> Vec<ResponseSpec> {
    let mut statuses: Vec<u16> =
        refusals.iter().map(|refusal| refusal.status_and_code().0.as_u16()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let answers = |status: u16| {
        let of_status: Vec<&ApiError> = refusals
            .iter()
            .filter(|refusal| refusal.status_and_code().0.as_u16() == status)
            .collect();
        let words: Vec<String> =
            of_status.iter().map(|refusal| refusal.summary().to_owned()).collect();
        let mut headers = ALWAYS.to_vec();
        headers.extend((status == 401).then_some(("WWW-Authenticate", true)));
        headers.extend((status == 405).then_some(("Allow", true)));
        let comes_back = of_status.iter().any(|refusal| {
            matches!(
                refusal,
                ApiError::TooManyStreams { .. }
                    | ApiError::Busy
                    | ApiError::EventsUnavailable
                    | ApiError::PublishUnavailable
                    | ApiError::QuotaExceeded(_)
            )
        });
        headers.extend(comes_back.then_some(("Retry-After", false)));
        ResponseSpec {
            status,
            says: sentence(&words.join("; or ")),
            headers,
            content: Some((media_type, schema(&of_status))),
        }
    };
    statuses.into_iter().map(answers).collect()
}

/// An object, one member of which has one of these values.
fn only<V: Into<Json>>(name: &str, values: impl IntoIterator<Item = V>) -> ObjectBuilder {
    any().property(name, one_of(values))
}

fn one_of<V: Into<Json>>(values: impl IntoIterator<Item = V>) -> ObjectBuilder {
    any().enum_values(Some(values))
}

/// What says nothing yet.
fn any() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}

fn distinct<'w>(words: impl Iterator<Item = &'w str>) -> Vec<&'w str> {
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    words.dedup();
    words
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

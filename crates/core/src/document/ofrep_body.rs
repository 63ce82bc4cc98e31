//! The OFREP answer.

use serde_json::{Map, Value as Json};
use turnout_api::ofrep::{ErrorCode, Evaluation, Failure, Success};
use turnout_api::strategy::StrategyDocument;

use crate::flag::Step;

/// The OFREP 0.3 answer: `disabled` is a value like any other, metadata is flat.
pub fn ofrep(document: &StrategyDocument, error_code: ErrorCode) -> Evaluation {
    let failure = |error_code: ErrorCode, details: &str| {
        Evaluation::Failure(Failure {
            key: document.flag.clone(),
            error_code,
            error_details: details.to_owned(),
        })
    };
    match document.rule {
        Step::NoUnit => failure(
            ErrorCode::TargetingKeyMissing,
            "this flag is rolled out by a key that the context does not have",
        ),
        Step::Error if error_code == ErrorCode::General => {
            failure(error_code, "the flag has no usable definition; poll until it has")
        }
        Step::Error => failure(error_code, "an attribute has another type than the flag declares"),
        _ => {
            let members = serde_json::to_value(document).unwrap_or_default();
            let mut metadata = Map::new();
            for (name, value) in members.as_object().into_iter().flatten() {
                match name.as_str() {
                    "flag" | "strategy" | "reason" => {}
                    name => flatten(name, value, &mut metadata),
                }
            }
            Evaluation::Success(Success {
                key: document.flag.clone(),
                reason: document.reason,
                value: document.strategy,
                variant: document.strategy,
                metadata,
            })
        }
    }
}

/// `polling.startMs: 4000`; a list becomes text, as metadata can only contain texts, numbers and
/// booleans.
fn flatten(name: &str, value: &Json, into: &mut Map<String, Json>) {
    match value {
        Json::Object(members) => members
            .iter()
            .for_each(|(member, value)| flatten(&format!("{name}.{member}"), value, into)),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(Json::to_string).collect();
            into.insert(name.to_owned(), items.join(",").into());
        }
        plain => {
            into.insert(name.to_owned(), plain.clone());
        }
    }
}

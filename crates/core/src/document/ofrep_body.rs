//! The OFREP answer.

use serde_json::{Map, Value as Json, json};

use super::strategy_body::StrategyDocument;
use crate::flag::{Resolution, Step};

/// The OFREP 0.3 answer: `disabled` is a value like any other, metadata is flat.
pub fn ofrep(document: &StrategyDocument<'_>, resolution: Resolution, error_code: &str) -> Json {
    let key = document.flag;
    let failure = |code: &str, details: &str| json!({ "key": key, "errorCode": code, "errorDetails": details });
    match resolution.step {
        Step::NoUnit => failure(
            "TARGETING_KEY_MISSING",
            "this flag is rolled out by a key that the context does not have",
        ),
        Step::Error if error_code == "GENERAL" => {
            failure(error_code, "the flag has no usable definition; poll until it has")
        }
        Step::Error => failure(error_code, "an attribute has another type than the flag declares"),
        _ => {
            let document = serde_json::to_value(document).unwrap_or_default();
            let mut metadata = Map::new();
            for (name, value) in document.as_object().into_iter().flatten() {
                match name.as_str() {
                    "flag" | "strategy" | "reason" => {}
                    name => flatten(name, value, &mut metadata),
                }
            }
            json!({
                "key": key,
                "reason": resolution.reason.as_str(),
                "value": resolution.strategy.as_str(),
                "variant": resolution.strategy.as_str(),
                "metadata": metadata,
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

//! A number that is larger than the contract allows is refused, also where nothing would change.

use crate::support::{Service, flag};
use serde_json::{Value as Json, json};
use turnout::http::admin_document;

/// More than OpenAPI's `int64` can say.
const TOO_LARGE: [u64; 2] = [1 << 63, u64::MAX];

/// The paths of commands with their members that are whole numbers, as the document has them.
fn numbers(document: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/flags/{flag}/") && path != "/v1/stop" {
            continue;
        }
        let body = &methods["post"]["requestBody"]["content"]["application/json"]["schema"];
        let schema = body["$ref"].as_str().or(body["oneOf"][1]["$ref"].as_str());
        let Some(schema) = schema.and_then(|name| document.pointer(&name[1..])) else { continue };
        for (member, of) in schema["properties"].as_object().unwrap() {
            if of["format"] == "int64" {
                found.push((path.replace("{flag}", "chat"), member.clone()));
            }
        }
    }
    found
}

#[tokio::test]
async fn a_number_above_the_contracts_is_refused() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    // A stop that stands: what changes nothing must be refused, too.
    assert_eq!(service.order("/v1/stop", json!({ "reason": "first" })).await.status(), 200);
    let numbers = numbers(&serde_json::to_value(admin_document()).unwrap());
    assert!(numbers.len() >= 8, "{numbers:?}");
    for (path, member) in numbers {
        for number in TOO_LARGE {
            let body = json!({ "reason": "again", member.as_str(): number });
            let answer = service.order(&path, body).await;
            assert_eq!(answer.status(), 400, "{path} {member} {number}");
        }
    }
}

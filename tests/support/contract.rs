//! Responses, checked against an OpenAPI document.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::Service;

/// The document with every object closed: a member that is served and not documented fails.
pub fn closed(mut document: Json) -> Json {
    fn close(json: &mut Json) {
        match json {
            Json::Object(members) => {
                if members.get("type") == Some(&json!("object"))
                    && members.contains_key("properties")
                {
                    members.entry("additionalProperties").or_insert(json!(false));
                }
                members.values_mut().for_each(close);
            }
            Json::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    close(&mut document["components"]);
    document
}

/// Checks responses against the document, and remembers which documented ones were seen.
pub struct Contract {
    pub document: Json,
    /// The address of its listener.
    at: fn(&Service, &str) -> String,
    pub seen: BTreeSet<(String, String)>,
}

impl Contract {
    pub fn of(document: Json, at: fn(&Service, &str) -> String) -> Contract {
        Contract { document, at, seen: BTreeSet::new() }
    }

    /// Every documented operation and status.
    pub fn promised(&self) -> BTreeSet<(String, String)> {
        let paths = self.document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|methods| methods.as_object().unwrap().values());
        let of_operation = |operation: &Json| {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let statuses: Vec<String> =
                operation["responses"].as_object().unwrap().keys().cloned().collect();
            statuses.into_iter().map(move |status| (id.clone(), status))
        };
        operations.flat_map(of_operation).collect()
    }

    pub async fn check(
        &mut self,
        service: &Service,
        method: Method,
        template: &str,
        target: &str,
        body: &str,
        tag: Option<&str>,
    ) -> Json {
        let headers: Vec<(&str, &str)> =
            tag.into_iter().map(|tag| ("if-none-match", tag)).collect();
        self.check_as(service, method, template, target, body, &headers).await
    }

    pub async fn check_as(
        &mut self,
        service: &Service,
        method: Method,
        template: &str,
        target: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Json {
        let shown = format!("{method} {target} {body}");
        let request = service
            .client
            .request(method.clone(), (self.at)(service, target))
            .body(body.to_owned());
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        let operations = &self.document["paths"][template];
        // An unsupported method is documented at the methods that the path supports.
        let operation = match operations.get(method.as_str().to_ascii_lowercase()) {
            Some(operation) => operation,
            None => operations.as_object().unwrap().values().next().unwrap(),
        };
        let status = response.status().as_str().to_owned();
        let promised = operation["responses"]
            .get(&status)
            .unwrap_or_else(|| panic!("{shown}: {status} is not documented"));
        self.seen.insert((operation["operationId"].as_str().unwrap().to_owned(), status.clone()));
        for (name, header) in promised["headers"].as_object().unwrap() {
            let value =
                response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert!(
                value.is_some() || header["required"] == false,
                "{shown}: {status} without {name}"
            );
            let value = value.map(|value| {
                if header["schema"]["type"] == "integer" {
                    json!(value.parse::<u64>().unwrap())
                } else {
                    json!(value)
                }
            });
            let valid = value.is_none_or(|value| {
                jsonschema::draft202012::new(&header["schema"]).unwrap().is_valid(&value)
            });
            assert!(valid, "{shown}: {name}");
        }
        let served =
            response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let text = match served.as_deref() {
            Some("text/event-stream") => first_event(response).await,
            _ => response.text().await.unwrap(),
        };
        let Some(content) = promised["content"].as_object() else {
            assert_eq!((served, text.as_str()), (None, ""), "{shown}: {status} has no body");
            return Json::Null;
        };
        let (kind, media) = content.iter().next().unwrap();
        assert_eq!(served.as_ref(), Some(kind), "{shown}");
        let (text, mut schema) = match &**kind {
            "text/event-stream" => (
                text,
                media["schema"]["contentSchema"]["properties"]["data"]["contentSchema"].clone(),
            ),
            kind if kind.contains("json") => (text, media["schema"].clone()),
            _ => return json!(text),
        };
        schema["components"] = self.document["components"].clone();
        let answer: Json = serde_json::from_str(&text).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{shown}: {status} {text}\n{}", faults.join("\n"));
        answer
    }
}

/// The data of the first event of a stream, which has no end.
async fn first_event(mut response: reqwest::Response) -> String {
    let mut text = String::new();
    while !text.contains("\n\n") {
        let piece = response.chunk().await.unwrap().expect("a stream begins with an event");
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event has data").to_owned()
}

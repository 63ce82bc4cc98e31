//! The OpenAPI document promises what is served: every documented answer is seen, and every answer seen is documented.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use support::guarded::{Guarded, SERVER_KEY};
use support::issuer::Issuer;
use support::{Service, flag};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turnout::http::{Limits, public_document};
use turnout::token::{Algorithm, Unverified};

/// The document with every object closed: a member that is served and not documented fails.
fn closed(mut document: Json) -> Json {
    fn close(json: &mut Json) {
        match json {
            Json::Object(members) => {
                if members.get("type") == Some(&json!("object")) && members.contains_key("properties") {
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

/// Checks answers against the document, and remembers which promises were seen kept.
struct Contract {
    document: Json,
    seen: BTreeSet<(String, String)>,
}

impl Contract {
    async fn check(
        &mut self,
        service: &Service,
        method: Method,
        template: &str,
        target: &str,
        body: &str,
        tag: Option<&str>,
    ) -> Json {
        let headers: Vec<(&str, &str)> = tag.into_iter().map(|tag| ("if-none-match", tag)).collect();
        self.check_as(service, method, template, target, body, &headers).await
    }

    async fn check_as(
        &mut self,
        service: &Service,
        method: Method,
        template: &str,
        target: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Json {
        let shown = format!("{method} {target} {body}");
        let request = service.client.request(method.clone(), service.url(target)).body(body.to_owned());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        let operations = &self.document["paths"][template];
        // A method it does not take is promised beside those it takes.
        let operation = match operations.get(method.as_str().to_ascii_lowercase()) {
            Some(operation) => operation,
            None => operations.as_object().unwrap().values().next().unwrap(),
        };
        let status = response.status().as_str().to_owned();
        let promised = operation["responses"].get(&status).unwrap_or_else(|| panic!("{shown}: {status} is not documented"));
        self.seen.insert((operation["operationId"].as_str().unwrap().to_owned(), status.clone()));
        for (name, header) in promised["headers"].as_object().unwrap() {
            let value = response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert!(value.is_some() || header["required"] == false, "{shown}: {status} without {name}");
            let value = value.map(|value| {
                if header["schema"]["type"] == "integer" { json!(value.parse::<u64>().unwrap()) } else { json!(value) }
            });
            let valid = value.is_none_or(|value| jsonschema::draft202012::new(&header["schema"]).unwrap().is_valid(&value));
            assert!(valid, "{shown}: {name}");
        }
        let served = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let Some(content) = promised["content"].as_object() else {
            assert_eq!((served, text.as_str()), (None, ""), "{shown}: {status} has no body");
            return Json::Null;
        };
        let (kind, media) = content.iter().next().unwrap();
        assert_eq!(served.as_ref(), Some(kind), "{shown}");
        let mut schema = media["schema"].clone();
        schema["components"] = self.document["components"].clone();
        let answer: Json = serde_json::from_str(&text).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let faults: Vec<String> = validator.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{shown}: {status} {text}\n{}", faults.join("\n"));
        answer
    }
}

#[tokio::test]
async fn every_documented_answer_is_served_and_no_other() {
    let document = closed(public_document());
    let mut contract = Contract { document, seen: BTreeSet::new() };
    let transports = "transports: { polling: { url: /feed }, realtime-v2: { url: /live, kind: websocket } }";
    let rules = "attributes: { seats: number }\nrules: [{ name: big, when: { seats: { at_least: 9 } }, strategy: disabled }]";
    let service = Service::start(&[
        ("all.yaml", &flag("all", &format!("rollout: {{ realtime-v2: 100% }}\n{transports}"))),
        ("half.yaml", &flag("half", "rollout: { realtime-v2: 50% }")),
        ("ruled.yaml", &flag("ruled", rules)),
        ("broken.yaml", "version: 1\n"),
    ])
    .await;
    let many: String = (0..300).map(|n| format!("\"a{n}\":1,")).collect();
    for (template, wrapper) in [
        ("/v1/strategy/{flag}", "attributes"),
        ("/v1/strategy", "attributes"),
        ("/ofrep/v1/evaluate/flags/{key}", "context"),
        ("/ofrep/v1/evaluate/flags", "context"),
    ] {
        for key in ["all", "half", "ruled", "broken", "unknown", "NOT-A-KEY"] {
            let target = template.replace("{flag}", key).replace("{key}", key);
            for attributes in ["{}", r#"{"seats":9}"#, r#"{"seats":"nine"}"#, "[]", &format!("{{{many}\"b\":1}}")] {
                let body = format!(r#"{{"{wrapper}":{attributes}}}"#);
                for tag in [None, Some("*")] {
                    contract.check(&service, Method::POST, template, &target, &body, tag).await;
                }
            }
            for body in ["", "{", "[]", r#"{"targetingKey":5,"context":{"targetingKey":5}}"#, r#"{"targetingKey":"u-1"}"#] {
                contract.check(&service, Method::POST, template, &target, body, None).await;
            }
        }
    }
    let paths: Vec<String> = contract.document["paths"].as_object().unwrap().keys().cloned().collect();
    for template in paths {
        let target = template.replace("{flag}", "half").replace("{key}", "half");
        for operation in contract.document["paths"][&template].as_object().unwrap().clone().values() {
            // A method the path does not take is promised at every one it takes.
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let response = service.client.delete(service.url(&target)).send().await.unwrap();
            assert_eq!(response.status(), 405, "{template}");
            contract.seen.insert((id, "405".to_owned()));
        }
        contract.check(&service, Method::DELETE, &template, &target, "", None).await;
        if contract.document["paths"][&template].get("get").is_some() {
            contract.check(&service, Method::GET, &template, &target, "", None).await;
        }
    }
    let served = contract.check(&service, Method::GET, "/openapi.json", "/openapi.json", "", None).await;
    assert_eq!(served, public_document());
    contract.check(&service, Method::GET, "/openapi.json", "/openapi.json", "", Some("*")).await;

    let cold = Service::start_without_folder().await;
    contract.check(&cold, Method::GET, "/readyz", "/readyz", "", None).await;
    for (template, body) in [
        ("/v1/strategy/{flag}", "{}"),
        ("/v1/strategy", "{}"),
        ("/ofrep/v1/evaluate/flags/{key}", r#"{"context":{}}"#),
        ("/ofrep/v1/evaluate/flags", r#"{"context":{}}"#),
    ] {
        let target = template.replace("{flag}", "any").replace("{key}", "any");
        contract.check(&cold, Method::POST, template, &target, body, None).await;
    }

    let issuer = Issuer::new(Algorithm::Es256, "key");
    let guarded = Guarded::start(&issuer.jwks(), Algorithm::Es256, Unverified::Deny).await;
    let (token, bearer) = (format!("Bearer {}", issuer.token("u-sub")), format!("Bearer {SERVER_KEY}"));
    for (template, wrapper) in [
        ("/v1/strategy/{flag}", None),
        ("/v1/strategy", None),
        ("/ofrep/v1/evaluate/flags/{key}", Some("context")),
        ("/ofrep/v1/evaluate/flags", Some("context")),
    ] {
        let target = template.replace("{flag}", "a").replace("{key}", "a");
        for user in ["u-sub", "u-other"] {
            let question = json!({ "targetingKey": user });
            let body = wrapper.map_or(question.clone(), |wrapper| json!({ wrapper: question })).to_string();
            for headers in [
                &[][..],
                &[("authorization", "Bearer no")],
                &[("authorization", token.as_str())],
                &[("authorization", bearer.as_str())],
            ] {
                contract.check_as(&guarded.service, Method::POST, template, &target, &body, headers).await;
            }
        }
    }
    for key in ["a", "unknown"] {
        let target = format!("/v1/strategy/{key}");
        for headers in [
            &[][..],
            &[("authorization", token.as_str())],
            &[("authorization", token.as_str()), ("if-none-match", "*")],
            &[("authorization", bearer.as_str())],
        ] {
            contract.check_as(&guarded.service, Method::GET, "/v1/strategy/{flag}", &target, "", headers).await;
        }
    }

    // A body that never comes: 408, and in the shape that is promised.
    let limits = Limits { body: Duration::from_millis(50), ..Limits::default() };
    let hurried = Service::start_limited(&[("half.yaml", &flag("half", ""))], limits).await;
    for template in ["/v1/strategy/{flag}", "/v1/strategy", "/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags"] {
        let target = template.replace("{flag}", "half").replace("{key}", "half");
        let mut stream = tokio::net::TcpStream::connect(hurried.app.address()).await.unwrap();
        stream.write_all(format!("POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{{").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let operation = &contract.document["paths"][template]["post"];
        let content = operation["responses"]["408"]["content"].as_object().unwrap().keys().next().unwrap().clone();
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(&content), "{target}: {answer}");
        contract.seen.insert((operation["operationId"].as_str().unwrap().to_owned(), "408".to_owned()));
    }

    let mut promised = BTreeSet::new();
    for operation in
        contract.document["paths"].as_object().unwrap().values().flat_map(|methods| methods.as_object().unwrap().values())
    {
        for status in operation["responses"].as_object().unwrap().keys() {
            promised.insert((operation["operationId"].as_str().unwrap().to_owned(), status.clone()));
        }
    }
    assert_eq!(promised, contract.seen, "promised and never seen, or the other way round");
}

/// Strict validators and generated clients want these.
#[test]
fn the_document_is_complete() {
    let document = public_document();
    assert_eq!(document["info"]["license"], json!({ "name": "Apache-2.0", "identifier": "Apache-2.0" }));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}: an id twice");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(!response["description"].as_str().unwrap().is_empty(), "{path} {status}");
                let headers = response["headers"].as_object().unwrap();
                assert!(headers.values().all(|header| header["description"] != ""), "{path} {status}: an unknown header");
            }
        }
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document["components"]["schemas"].get(reference).is_some(), "{reference} is not there");
    }
}

/// Every code and call of `docs/HTTP.md` stands in the document.
#[test]
fn the_docs_say_the_same() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/HTTP.md")).unwrap();
    for path in public_document()["paths"].as_object().unwrap().keys() {
        assert!(docs.contains(path.as_str()), "docs/HTTP.md does not name {path}");
    }
}

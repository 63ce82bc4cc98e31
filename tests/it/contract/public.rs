//! The OpenAPI document is true: every documented response is seen, and every response seen is
//! documented.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::contract::{Contract, closed};
use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY};
use crate::support::issuer::Issuer;
use crate::support::watcher::Watcher;
use crate::support::{Service, config, flag};
use reqwest::Method;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turnout::auth::{Algorithm, AnonymousAccess};
use turnout::config::Config;
use turnout::http::{Limits, admin_document, public_document};

#[tokio::test]
async fn every_documented_response_is_served_and_no_other() {
    let document = closed(public_document());
    let mut contract = Contract::of(document, Service::url);
    let transports =
        "transports: { polling: { url: /feed }, realtime-v2: { url: /live, kind: websocket } }";
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
        ("/v1/strategy/{flag}/watch", "attributes"),
        ("/v1/watch", "attributes"),
        ("/ofrep/v1/evaluate/flags/{key}", "context"),
        ("/ofrep/v1/evaluate/flags", "context"),
    ] {
        for key in ["all", "half", "ruled", "broken", "unknown", "NOT-A-KEY"] {
            let target = template.replace("{flag}", key).replace("{key}", key);
            for attributes in
                ["{}", r#"{"seats":9}"#, r#"{"seats":"nine"}"#, "[]", &format!("{{{many}\"b\":1}}")]
            {
                let body = format!(r#"{{"{wrapper}":{attributes}}}"#);
                for tag in [None, Some("*")] {
                    contract.check(&service, Method::POST, template, &target, &body, tag).await;
                }
            }
            for body in [
                "",
                "{",
                "[]",
                r#"{"targetingKey":5,"context":{"targetingKey":5}}"#,
                r#"{"targetingKey":"u-1"}"#,
            ] {
                contract.check(&service, Method::POST, template, &target, body, None).await;
            }
        }
    }
    let paths: Vec<String> =
        contract.document["paths"].as_object().unwrap().keys().cloned().collect();
    for template in paths {
        let target =
            template.replace("{flag}", "half").replace("{key}", "half").replace("{stream}", "b-1");
        for operation in contract.document["paths"][&template].as_object().unwrap().clone().values()
        {
            // An unsupported method is documented at every method that the path supports.
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let response = service.client.patch(service.url(&target)).send().await.unwrap();
            assert_eq!(response.status(), 405, "{template}");
            contract.seen.insert((id, "405".to_owned()));
        }
        contract.check(&service, Method::PATCH, &template, &target, "", None).await;
        if contract.document["paths"][&template].get("get").is_some() {
            contract.check(&service, Method::GET, &template, &target, "", None).await;
        }
    }
    let served =
        contract.check(&service, Method::GET, "/openapi.json", "/openapi.json", "", None).await;
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
    let guarded =
        ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Deny).await;
    let (token, bearer) =
        (format!("Bearer {}", issuer.token("u-sub")), format!("Bearer {SERVER_KEY}"));
    for (template, wrapper) in [
        ("/v1/strategy/{flag}", None),
        ("/v1/strategy", None),
        ("/v1/strategy/{flag}/watch", None),
        ("/v1/watch", None),
        ("/ofrep/v1/evaluate/flags/{key}", Some("context")),
        ("/ofrep/v1/evaluate/flags", Some("context")),
    ] {
        let target = template.replace("{flag}", "a").replace("{key}", "a");
        for user in ["u-sub", "u-other"] {
            let question = json!({ "targetingKey": user });
            let body = wrapper
                .map_or(question.clone(), |wrapper| json!({ wrapper: question }))
                .to_string();
            for headers in [
                &[][..],
                &[("authorization", "Bearer no")],
                &[("authorization", token.as_str())],
                &[("authorization", bearer.as_str())],
            ] {
                contract
                    .check_as(&guarded.service, Method::POST, template, &target, &body, headers)
                    .await;
            }
        }
    }
    for (template, target) in [
        ("/v1/strategy/{flag}", "/v1/strategy/a"),
        ("/v1/strategy/{flag}", "/v1/strategy/unknown"),
        ("/v1/strategy/{flag}/watch", "/v1/strategy/a/watch"),
        ("/v1/strategy/{flag}/watch", "/v1/strategy/unknown/watch"),
        ("/v1/watch", "/v1/watch"),
    ] {
        for headers in [
            &[][..],
            &[("authorization", token.as_str())],
            &[("authorization", token.as_str()), ("if-none-match", "*")],
            &[("authorization", bearer.as_str())],
        ] {
            contract.check_as(&guarded.service, Method::GET, template, target, "", headers).await;
        }
    }

    super::feeds::see_every_answer(&mut contract, &guarded, &token, &bearer).await;
    see_every_answer_to_a_report(&mut contract, &guarded.service, &token, &bearer).await;
    super::sessions::see_every_answer(&mut contract, &guarded, &token, &bearer).await;
    super::session_revocations::see_every_answer(&mut contract, &guarded, &token).await;

    // A body that never arrives: 408, in the documented shape.
    let limits = Limits { body: Duration::from_millis(50), ..Limits::default() };
    let hurried = Service::start_limited(&[("half.yaml", &flag("half", ""))], limits).await;
    for template in [
        "/v1/strategy/{flag}",
        "/v1/strategy",
        "/v1/strategy/{flag}/watch",
        "/v1/watch",
        "/v1/watch/ack",
        "/ofrep/v1/evaluate/flags/{key}",
        "/ofrep/v1/evaluate/flags",
    ] {
        let target = template.replace("{flag}", "half").replace("{key}", "half");
        let mut stream = tokio::net::TcpStream::connect(hurried.app.address()).await.unwrap();
        stream
            .write_all(
                format!("POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{{")
                    .as_bytes(),
            )
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let operation = &contract.document["paths"][template]["post"];
        let content = operation["responses"]["408"]["content"]
            .as_object()
            .unwrap()
            .keys()
            .next()
            .unwrap()
            .clone();
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.contains(&content),
            "{target}: {answer}"
        );
        contract
            .seen
            .insert((operation["operationId"].as_str().unwrap().to_owned(), "408".to_owned()));
    }

    check_acknowledgements(&mut contract, &service).await;
    let crowded = Service::start_crowded(&[("half.yaml", &flag("half", ""))]).await;
    let (one, all) = ("/v1/strategy/{flag}/watch", "/v1/watch");
    for (method, template) in
        [(Method::POST, one), (Method::POST, all), (Method::GET, "/ofrep/v1/events")]
    {
        contract
            .check(&crowded, method, template, &template.replace("{flag}", "half"), "{}", None)
            .await;
    }
    // With the authenticator of the others, and no room for a stream.
    for id in ["watchMine", "watchAllMine"] {
        contract.seen.insert((id.to_owned(), "503".to_owned()));
    }

    assert_eq!(
        contract.promised(),
        contract.seen,
        "promised and never seen, or the other way round"
    );
}

async fn see_every_answer_to_a_report(
    contract: &mut Contract,
    service: &Service,
    token: &str,
    bearer: &str,
) {
    const PATH: &str = "/v1/reports";
    let good = json!({ "windowMs": 60_000, "flags": [{ "flag": "a", "mode": "polling" }] });
    for body in [&*good.to_string(), "{", "{}", &" ".repeat(20_000)] {
        for headers in [&[][..], &[("authorization", token)], &[("authorization", bearer)]] {
            contract.check_as(service, Method::POST, PATH, PATH, body, headers).await;
        }
    }
    while !contract.seen.contains(&("report".to_owned(), "429".to_owned())) {
        let headers = [("authorization", token)];
        contract.check_as(service, Method::POST, PATH, PATH, "{", &headers).await;
    }
    let home = TempDir::new().unwrap();
    let limits = Limits { body: Duration::from_millis(50), ..Limits::default() };
    let access = service.config.access.clone();
    let hurried = Config { access, limits, ..config(home.path()) };
    let hurried = Service::start_as(home, hurried).await;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\ncontent-length: 9\r\n\r\n{{"
    );
    let mut stream = tokio::net::TcpStream::connect(hurried.app.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    contract.seen.insert(("report".to_owned(), "408".to_owned()));
}

async fn check_acknowledgements(contract: &mut Contract, service: &Service) {
    let mut stream = Watcher::open(service, "/v1/strategy/half/watch", "{}").await;
    let first = stream.next().await;
    let (name, position) = (first.data["ackId"].as_str().unwrap(), first.id.unwrap());
    for body in [
        json!({ "ackId": name, "position": position }),
        json!({ "ackId": "0-0", "position": position }),
        json!({ "ackId": name, "position": "999999" }),
        json!({ "ackId": name }),
        json!(" ".repeat(70_000)),
    ] {
        contract
            .check(service, Method::POST, "/v1/watch/ack", "/v1/watch/ack", &body.to_string(), None)
            .await;
    }
    contract.check(service, Method::POST, "/v1/watch/ack", "/v1/watch/ack", "{", None).await;
}

/// Strict validators and generated clients need these.
#[test]
fn the_openapi_documents_are_complete() {
    [public_document(), admin_document()].iter().for_each(check_document);
}

fn check_document(document: &Json) {
    assert_eq!(
        document["info"]["license"],
        json!({ "name": "Apache-2.0", "identifier": "Apache-2.0" })
    );
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{path}: an id twice"
            );
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(!response["description"].as_str().unwrap().is_empty(), "{path} {status}");
                let headers = response["headers"].as_object().unwrap();
                assert!(
                    headers.values().all(|header| header["description"] != ""),
                    "{path} {status}: an unknown header"
                );
            }
        }
    }
    let text = document.to_string();
    for schema in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(
            text.contains(&format!("\"#/components/schemas/{schema}\"")),
            "{schema} is not needed"
        );
    }
    for reference in
        text.split("\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap())
    {
        assert!(
            document["components"]["schemas"].get(reference).is_some(),
            "{reference} is not there"
        );
    }
}

/// Every code that the documents promise is explained; the calls are `tests/logic/docs.rs`'s.
#[test]
fn the_docs_agree_with_the_openapi_documents() {
    let docs =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/HTTP.md")).unwrap();
    let mut codes = BTreeSet::new();
    codes_of(&admin_document(), &mut codes);
    assert!(codes.len() > 20);
    for code in codes {
        assert!(docs.contains(&format!("`{code}`")), "docs/HTTP.md does not name {code}");
    }
}

/// Every code a document promises.
fn codes_of(json: &Json, codes: &mut BTreeSet<String>) {
    match json {
        Json::Object(members) => {
            let named =
                members.get("code").and_then(|code| code["enum"].as_array()).into_iter().flatten();
            codes.extend(named.map(|code| code.as_str().unwrap().to_owned()));
            members.values().for_each(|member| codes_of(member, codes));
        }
        Json::Array(items) => items.iter().for_each(|item| codes_of(item, codes)),
        _ => {}
    }
}

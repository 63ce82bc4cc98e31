//! A call at the port of the other listener: the refusal says which listener this is.

use serde_json::{Value as Json, json};
use turnout::http::{admin_document, public_document};

use crate::support::{Service, flag};

/// Paths with their first method, and something for every parameter.
fn paths(document: &Json) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &Json)| {
        let method = methods.as_object().unwrap().keys().find(|key| *key != "parameters").unwrap();
        let path = ["{flag}", "{key}", "{stream}", "{id}"]
            .iter()
            .fold(path.clone(), |path, name| path.replace(name, "chat"));
        (method.to_uppercase(), path)
    };
    paths.iter().map(of).collect()
}

#[tokio::test]
async fn a_call_for_the_other_listener_is_told_which_one_this_is() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let (public, admin) = (paths(&public_document()), paths(&admin_document()));
    let only = |of: &[(String, String)], other: &[(String, String)]| {
        let is_only = |(_, path): &&(String, String)| other.iter().all(|(_, known)| known != path);
        of.iter().filter(is_only).cloned().collect::<Vec<_>>()
    };
    let ask = async |url: String, method: &str, token: Option<&str>| {
        let request = service.client.request(method.parse().unwrap(), url).body("{}");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let said = answer.json::<Json>().await.unwrap();
        (status, said["code"].clone(), said["detail"].as_str().unwrap_or_default().to_owned())
    };
    let of_operators = only(&admin, &public);
    assert!(of_operators.len() > 10, "{of_operators:?}");
    for (method, path) in &of_operators {
        let (status, code, detail) = ask(service.url(path), method, None).await;
        assert_eq!((status, code), (404, json!("no-such-route")), "{method} {path}");
        assert!(detail.contains("this is the listener for clients"), "{path}: {detail}");
        // Strangers are not told where operators ask.
        let port = service.admin_url("").rsplit_once(':').unwrap().1.to_owned();
        assert!(!detail.contains(port.trim_end_matches('/')), "{path}: {detail}");
    }
    let port = service.url("").rsplit_once(':').unwrap().1.to_owned();
    let public_port = format!("on port {}", port.trim_end_matches('/'));
    let of_clients = only(&public, &admin);
    assert!(of_clients.len() > 8, "{of_clients:?}");
    let token = service.token();
    for (method, path) in &of_clients {
        for token in [None, Some(&*token)] {
            let (status, code, detail) = ask(service.admin_url(path), method, token).await;
            assert_eq!((status, code), (404, json!("no-such-route")), "{method} {path}");
            let says = detail.contains("this is the admin listener");
            assert!(says && detail.contains(&public_port), "{path}: {detail}");
        }
    }
    // What no listener has is answered as ever.
    let (status, _, detail) = ask(service.admin_url("/nowhere"), "GET", None).await;
    assert!(status == 401 && !detail.contains("admin listener"), "{detail}");
    let (status, _, detail) = ask(service.url("/v1/tokensmith"), "GET", None).await;
    assert!(status == 404 && detail.contains("/openapi.json"), "{detail}");
}

/// (how it is asked, the status, what it is told)
#[tokio::test]
async fn a_question_without_a_body_is_told_what_to_send() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let native = r#"send JSON like {"targetingKey": "u-1"}"#;
    let ofrep = r#"send JSON like {"context": {"targetingKey": "u-1"}}"#;
    let own = r#"or ask with POST and a body like {"targetingKey": "u-1"}"#;
    for (asks, body, status, says) in [
        ("POST /v1/strategy/chat", "", 400, native),
        ("POST /v1/strategy", "", 400, native),
        ("POST /v1/strategy/chat/watch", "", 400, native),
        ("POST /v1/watch", "", 400, native),
        ("POST /ofrep/v1/evaluate/flags/chat", "", 400, ofrep),
        ("POST /ofrep/v1/evaluate/flags", "", 400, ofrep),
        ("POST /ofrep/v1/evaluate/flags/chat", "{}", 400, "needs a `context`, like {"),
        ("GET /v1/strategy/chat", "", 401, own),
        ("GET /v1/strategy/chat/watch", "", 401, own),
        ("GET /v1/watch", "", 401, own),
    ] {
        let (method, path) = asks.split_once(' ').unwrap();
        let request = service.client.request(method.parse().unwrap(), service.url(path));
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{asks}");
        let said: Json = answer.json().await.unwrap();
        let detail = said["detail"].as_str().or(said["errorDetails"].as_str()).unwrap();
        assert!(detail.contains(says), "{asks}: {detail}");
    }
}

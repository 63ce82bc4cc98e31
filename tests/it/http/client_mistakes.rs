//! Mistakes of clients that operators see without asking a browser: each is one problem, and names
//! no user and no value.

use serde_json::{Value as Json, json};

use crate::support::{Service, flag, wait_until};

const MORE: &str = "attributes: { app_version: version, seats: number, plan: text }\n\
    deny: [{ when: { app_version: { below: '2.10' } } }]\n\
    rules: [{ name: big, when: { seats: { at_least: 5 } }, strategy: polling }]\n\
    rollout: { realtime-v2: 100% }";

async fn problems(service: &Service) -> Vec<Json> {
    let said: Json = service.admin("/v1/problems").await.json().await.unwrap();
    said["problems"].as_array().unwrap().clone()
}

async fn problem(service: &Service, code: &str) -> Json {
    let of_code =
        async || problems(service).await.into_iter().find(|problem| problem["code"] == code);
    wait_until(code, async || of_code().await.is_some()).await;
    of_code().await.unwrap()
}

#[tokio::test]
async fn a_mistyped_attribute_is_named_to_the_client_and_to_operators() {
    let service = Service::start(&[("chat.yaml", &flag("chat", MORE))]).await;
    // (attributes, the attribute that is named)
    for (attributes, named) in [
        (json!({ "app_version": "2.11", "seats": 5 }), None),
        (json!({}), None),
        (json!({ "app_version": null, "undeclared": [1] }), None),
        (json!({ "app_version": 2.9 }), Some("app_version")),
        (json!({ "app_version": "u-4711's" }), Some("app_version")),
        (json!({ "seats": "5" }), Some("seats")),
        // A number that is never compared is no mistake.
        (json!({ "plan": 5 }), None),
    ] {
        let native = json!({ "targetingKey": "u-4711", "attributes": attributes });
        let mut context = attributes.clone();
        context["targetingKey"] = json!("u-4711");
        let ofrep = json!({ "context": context });
        for (path, body) in
            [("/v1/strategy/chat", native), ("/ofrep/v1/evaluate/flags/chat", ofrep)]
        {
            let answer = service.post(path, body.to_string()).await;
            let header = answer.headers().get("turnout-error-attribute");
            let header = header.map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(header.as_deref(), named, "{path} {attributes}");
        }
    }
    let problem = problem(&service, "mistyped-attribute").await;
    assert_eq!(problem["subject"], "chat");
    let all = format!("{:?}", problems(&service).await);
    for (part, is_there) in [
        ("`app_version` of flag chat", true),
        ("it is declared a version, as a text", true),
        ("`seats` of flag chat", true),
        ("plan", false),
        ("4711", false),
    ] {
        assert_eq!(all.contains(part), is_there, "{part}: {all}");
    }
}

#[tokio::test]
async fn an_origin_that_asked_and_is_not_listed_is_a_problem() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    for origin in ["http://localhost:3001", "https://U-4711/x", "http://localhost:3001"] {
        let url = service.url("/v1/strategy/chat");
        let preflight = service
            .client
            .request(reqwest::Method::OPTIONS, url)
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        assert_eq!(preflight.send().await.unwrap().status(), 403);
    }
    let problem = problem(&service, "unlisted-origin").await;
    assert_eq!(problem["subject"], "http://localhost:3001");
    assert!(problem["hint"].as_str().unwrap().contains("TURNOUT_CORS_ORIGINS"), "{problem}");
    let all = problems(&service).await;
    assert_eq!(all.iter().filter(|problem| problem["code"] == "unlisted-origin").count(), 1);
    // A method that is not there is not a page's question.
    let url = service.url("/v1/strategy/chat");
    let options = service.client.request(reqwest::Method::OPTIONS, url).send().await.unwrap();
    assert_eq!(options.status(), 405);
}

#[tokio::test]
async fn tokens_that_come_while_no_keys_are_set_are_a_problem() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let ask = async |token: &str| {
        let request = service.client.post(service.url("/v1/strategy/chat")).body("{}");
        request.bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask("a-server-key").await, 401);
    assert_eq!(ask("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTQ3MTEifQ.c2lnbmF0dXJl").await, 401);
    let problem = problem(&service, "no-keys").await;
    assert_eq!(problem["subject"], "TURNOUT_SESSION_KEYS");
    assert_eq!(problems(&service).await.len(), 1);
}

#[tokio::test]
async fn an_address_without_a_route_says_where_all_of_them_are() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let answer = service.post("/v1/nowhere", "{}").await;
    assert_eq!(answer.status(), 404);
    let problem: Json = answer.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("/openapi.json"), "{problem}");
}

//! The admin listener: metrics, problems, and which requests it answers.

use crate::support::{Service, flag};
use serde_json::Value as Json;

#[tokio::test]
async fn problems_are_listed_with_their_places() {
    let service = Service::start(&[
        ("chat.yaml", "version: 1\nflag: chat\nenabled: yes\n"),
        ("good.yaml", &flag("good", "")),
    ])
    .await;
    let reply: Json = service.admin("/v1/problems").await.json().await.unwrap();
    assert_eq!(reply["watch"], "events");
    let problems = reply["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 3);
    let wrong_type = problems.iter().find(|problem| problem["code"] == "wrong-type").unwrap();
    assert_eq!(
        (&wrong_type["file"], &wrong_type["line"], &wrong_type["column"]),
        (&"chat.yaml".into(), &3.into(), &10.into())
    );
    assert!(wrong_type["hint"].as_str().unwrap().contains("`true`"));
}

#[tokio::test]
async fn metrics_count_outcomes_and_name_no_user() {
    let service = Service::start(&[(
        "chat.yaml",
        &flag("chat", "allow: [{ users: [sentinel-1], strategy: realtime-v2 }]"),
    )])
    .await;
    for user in ["sentinel-1", "sentinel-2", "sentinel-3"] {
        service.strategy("chat", user).await;
    }
    service.post("/v1/strategy/chat", "not json").await;
    service.post("/v1/strategy/sentinel-unknown", "{}").await;
    // A change of the flag must not reset its counters.
    std::fs::write(service.flags.join("chat.yaml"), flag("chat", "description: another")).unwrap();
    service.reach(2).await;
    service.strategy("chat", "sentinel-1").await;

    let response = service.admin("/metrics").await;
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = response.text().await.unwrap();
    for line in [
        r#"turnout_evaluations_total{flag="chat",strategy="realtime-v2",rule="allow"} 1"#,
        r#"turnout_evaluations_total{flag="chat",strategy="polling",rule="default"} 3"#,
        r#"turnout_http_requests_total{listener="public",route="/v1/strategy/{flag}",status="2xx"} 4"#,
        r#"turnout_http_requests_total{listener="public",route="/v1/strategy/{flag}",status="4xx"} 2"#,
        "turnout_revision 2",
        "turnout_flags 1",
        "turnout_problems 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|other| other == line), "no {line} in\n{text}");
    }
    assert!(!text.contains("sentinel"), "{text}");
}

#[tokio::test]
async fn the_admin_listener_answers_loopback_names_only_and_refuses_unknown_requests() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let url = |path: &str| format!("http://{}{path}", service.app.admin_address());
    for (host, status) in [
        ("127.0.0.1", 200),
        ("localhost:7071", 200),
        ("[::1]:7071", 200),
        ("attacker.example", 403),
        ("127.0.0.1.attacker.example", 403),
    ] {
        for path in ["/metrics", "/v1/problems"] {
            let response = service
                .client
                .get(url(path))
                .bearer_auth(service.token())
                .header("host", host)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status().as_u16(), status, "{host} {path}");
        }
    }
    assert_eq!(service.admin("/v1/strategy/chat").await.status(), 404);
    assert_eq!(
        service
            .client
            .post(url("/metrics"))
            .bearer_auth(service.token())
            .send()
            .await
            .unwrap()
            .status(),
        405
    );
    assert_eq!(
        service.client.get(service.url("/metrics")).send().await.unwrap().status(),
        404,
        "not on the public listener"
    );
}

//! Flags that are given up: what the list in the folder takes away, and what it leaves.

use std::fs;

use serde_json::{Value as Json, json};

use crate::support::{Service, flag, wait_until};

async fn listed(service: &Service) -> Vec<String> {
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    let flags = status["flags"].as_array().unwrap();
    flags.iter().map(|flag| flag["flag"].as_str().unwrap().to_owned()).collect()
}

async fn problems(service: &Service) -> String {
    service.admin("/v1/problems").await.text().await.unwrap()
}

async fn until_problem(service: &Service, part: &str) {
    wait_until(part, async || problems(service).await.contains(part)).await;
}

fn give_up(service: &Service, key: &str) {
    fs::write(service.flags.join("retired.txt"), format!("{key}   # its feature is gone\n"))
        .unwrap();
    fs::remove_file(service.flags.join(format!("{key}.yaml"))).unwrap();
}

#[tokio::test]
async fn a_retired_flag_goes_and_its_key_is_refused_until_the_line_goes_too() {
    let open = "rollout: { realtime-v2: 100% }\n";
    let mut service =
        Service::start(&[("tiny.yaml", &flag("tiny", open)), ("other.yaml", &flag("other", ""))])
            .await;
    let file = service.flags.join("tiny.yaml");

    // A file alone that is gone takes nothing with it.
    fs::remove_file(&file).unwrap();
    until_problem(&service, "turnout retire tiny").await;
    assert_eq!(service.strategy("tiny", "u-1").await, "realtime-v2");

    fs::write(service.flags.join("retired.txt"), "tiny\n").unwrap();
    wait_until("tiny is gone", async || listed(&service).await == ["other"]).await;
    let answer = service.post("/v1/strategy/tiny", "{}").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.json::<Json>().await.unwrap()["code"], "flag-not-found");
    wait_until("no problem is left", async || !problems(&service).await.contains("tiny")).await;

    service.stop().await;
    service.restart().await;
    assert_eq!(listed(&service).await, ["other"]);

    // The key is refused while the list has it.
    fs::write(&file, flag("tiny", "")).unwrap();
    until_problem(&service, "retired-key").await;
    // What is read after it is committed after it.
    fs::write(service.flags.join("third.yaml"), flag("third", "")).unwrap();
    wait_until("third is a flag", async || listed(&service).await.iter().any(|key| key == "third"))
        .await;
    assert_eq!(listed(&service).await, ["other", "third"]);
    assert_eq!(service.post("/v1/strategy/tiny", "{}").await.status(), 404);
    fs::write(service.flags.join("retired.txt"), "# none\n").unwrap();
    wait_until("tiny is a flag again", async || {
        listed(&service).await == ["other", "third", "tiny"]
    })
    .await;
    assert_eq!(service.strategy("tiny", "u-1").await, "polling");
}

#[tokio::test]
async fn a_live_flag_whose_file_stays_is_not_taken_by_the_list() {
    let service = Service::start(&[("tiny.yaml", &flag("tiny", ""))]).await;
    fs::write(service.flags.join("retired.txt"), "u-4711 and others\ntiny\n").unwrap();
    until_problem(&service, "retired-key").await;
    let said = problems(&service).await;
    assert!(said.contains("line 1 is not a flag's key") && !said.contains("4711"), "{said}");
    assert_eq!(listed(&service).await, ["tiny"]);
}

/// Only `resume` lifts a stop, and only an operator gives up what an operator holds.
#[tokio::test]
async fn what_an_operator_holds_keeps_a_retired_flag() {
    for (order, body, release) in [
        ("stop", json!({}), "resume"),
        ("set", json!({ "realtime-v2": "0%", "reason": "r" }), "unset"),
    ] {
        let mut service = Service::start(&[("tiny.yaml", &flag("tiny", ""))]).await;
        let ordered = service.order(&format!("/v1/flags/tiny/{order}"), body).await;
        assert!(ordered.status().is_success(), "{order}: {}", ordered.text().await.unwrap());
        give_up(&service, "tiny");
        until_problem(&service, &format!("turnout {release} tiny")).await;
        assert_eq!(listed(&service).await, ["tiny"], "{order}");
        service.stop().await;
        service.restart().await;
        assert_eq!(listed(&service).await, ["tiny"], "{order}");
        let lifted = service
            .order(&format!("/v1/flags/tiny/{release}"), json!({ "reason": "it is over" }))
            .await;
        assert!(lifted.status().is_success(), "{}", lifted.text().await.unwrap());
        wait_until("tiny is gone", async || listed(&service).await.is_empty()).await;
    }
}

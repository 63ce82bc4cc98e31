//! The clients of `examples/`, run against the real server.

#[expect(dead_code, reason = "its `main` is for the command line")]
#[path = "../../../examples/follow.rs"]
mod follow;
#[expect(dead_code, reason = "its `main` is for the command line")]
#[path = "../../../examples/ofrep.rs"]
mod ofrep;

use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use crate::support::{PATIENCE, Service, flag, wait_until};
use follow::StrategyFollower;

#[tokio::test]
async fn the_example_clients_are_answered_by_the_real_server() {
    let mut service =
        Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 100% }"))]).await;
    let url = service.url("");
    let answer = ofrep::ask(&service.client, &url, "chat", "u-1").await.unwrap();
    assert_eq!(answer, "realtime-v2, because STATIC");
    let refused = ofrep::ask(&service.client, &url, "chta", "u-1").await.unwrap_err();
    assert!(refused.to_string().starts_with("404 Not Found FLAG_NOT_FOUND: "), "{refused}");

    let unknown =
        StrategyFollower::new(service.client.clone(), &url, "chta", "u-1", |_| {}).run().await;
    assert!(unknown.starts_with("404 Not Found: "), "{unknown}");

    let (told, mut changes) = unbounded_channel();
    let mut follower = StrategyFollower::new(
        service.client.clone(),
        &url,
        "chat",
        "u-1",
        move |strategy: &str| {
            told.send(strategy.to_owned()).unwrap();
        },
    );
    let following = tokio::spawn(async move { follower.run().await });
    let mut next = async || timeout(PATIENCE, changes.recv()).await.unwrap().unwrap();
    assert_eq!(next().await, "realtime-v2");
    assert_eq!(service.order("/v1/flags/chat/stop", json!({})).await.status(), 200);
    assert_eq!(next().await, "polling");
    wait_until("the acknowledgement of the stop", async || {
        let standing = service.admin("/v1/flags/chat/convergence").await;
        let standing: serde_json::Value = standing.json().await.unwrap();
        standing["streams"]["confirmed"] == 1
    })
    .await;

    // It comes back by itself, and learns what changed meanwhile.
    let addresses = (service.app.address(), service.app.admin_address());
    service.stop().await;
    service.config.listen = addresses.0;
    service.config.admin_listen = addresses.1;
    service.restart().await;
    let resumed = json!({ "reason": "the example came back" });
    assert_eq!(service.order("/v1/flags/chat/resume", resumed).await.status(), 200);
    assert_eq!(next().await, "realtime-v2");
    assert!(!following.is_finished());
    following.abort();
}

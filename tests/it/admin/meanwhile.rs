//! Concurrent commands: when commands meet, every revision begins where the one before it ended.

use std::time::Duration;

use crate::support::{Service, flag};
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread")]
async fn every_revision_begins_where_the_one_before_ended() {
    let rollout = "rollout: { realtime-v2: 10% }";
    let files = [("lane.yaml", flag("lane", rollout)), ("other.yaml", flag("other", rollout))];
    let service =
        Service::start(&files.each_ref().map(|(name, text)| (*name, text.as_str()))).await;
    let mut steps: Vec<Json> = Vec::new();
    for round in 0..100_u64 {
        let share = json!({ "realtime-v2": format!("{}%", 1 + round % 90), "reason": "test" });
        service.order("/v1/flags/lane/set", share).await;
        let stop = async {
            // At another moment of the rollback in each round.
            tokio::time::sleep(Duration::from_micros(round * 797 % 12_000)).await;
            service.order("/v1/flags/lane/stop", json!({})).await
        };
        // The rollback waits for a commit while the stop is journaled concurrently.
        let other = json!({ "realtime-v2": format!("{}%", 1 + round % 90), "reason": "test" });
        let rollback = service.order("/v1/flags/lane/rollback", json!({ "reason": "test" }));
        tokio::join!(service.order("/v1/flags/other/set", other), rollback, stop);
        service.order("/v1/flags/lane/resume", json!({ "reason": "test" })).await;
        let after = steps.last().map_or(0, |step| step["revision"].as_u64().unwrap());
        let page: Json = service
            .admin(&format!("/v1/history?flag=lane&after={after}"))
            .await
            .json()
            .await
            .unwrap();
        steps.extend(page["revisions"].as_array().unwrap().iter().rev().cloned());
    }
    assert!(steps.len() > 300, "orders did not meet: {} revisions", steps.len());
    for pair in steps.windows(2) {
        let (left, found) = (&pair[0]["changes"][0]["is"], &pair[1]["changes"][0]["was"]);
        assert_eq!(left, found, "revision {} after {}", pair[1], pair[0]);
    }
}

/// The second request may look its key up before the first is committed, and get its turn after
/// that.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_with_one_idempotency_key_commit_once() {
    let service =
        Service::start(&[("lane.yaml", &flag("lane", "rollout: { realtime-v2: 50% }"))]).await;
    for round in 0..60 {
        let lower = async |after: u64| {
            tokio::time::sleep(Duration::from_micros(after)).await;
            let request = service
                .client
                .post(service.admin_url("/v1/flags/lane/set"))
                .bearer_auth(service.token());
            let request = request.header("idempotency-key", format!("round-{round}"));
            let answer =
                request.body(json!({ "realtime-v2": "10%" }).to_string()).send().await.unwrap();
            // The second request gets the outcome of the first, and never that there was nothing to
            // do.
            let reply: Json = answer.json().await.unwrap();
            assert_ne!(reply["outcome"], "unchanged", "round {round}");
        };
        let raise = async |after: u64| {
            tokio::time::sleep(Duration::from_micros(after)).await;
            service
                .order("/v1/flags/lane/set", json!({ "realtime-v2": "50%", "reason": "test" }))
                .await;
        };
        let (before, offset) = (service.revision(), round as u64 * 97);
        tokio::join!(
            lower(0),
            lower(0),
            lower(offset % 1_500),
            raise(offset % 2_100),
            lower(offset % 2_500),
            raise(3_000)
        );
        raise(0).await;
        let page: Json = service
            .admin(&format!("/v1/history?flag=lane&after={before}&limit=200"))
            .await
            .json()
            .await
            .unwrap();
        let lowered = |step: &&Json| step["changes"][0]["is"] == "realtime-v2 10%";
        let count = page["revisions"].as_array().unwrap().iter().filter(lowered).count();
        assert_eq!(count, 1, "round {round}: {page}");
    }
}

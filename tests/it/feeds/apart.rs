//! Feeds stand apart: whatever becomes of their database, no strategy, flip or stop notices, and
//! they come back by themselves.

use std::fs;

use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::{Answer, Feeds, event, numbered};
use crate::support::{Service, wait_until};

/// Strategies, flips and stops, while feeds do not work.
pub async fn control_works(service: &Service) {
    let asked = service.post("/v1/strategy/a", json!({ "targetingKey": "u-1" }).to_string()).await;
    assert_eq!(asked.status(), 200);
    let reason = json!({ "reason": "a test" });
    for verb in ["set", "stop", "resume", "unset"] {
        let body = if verb == "set" {
            json!({ "realtime-v2": "1%", "reason": "a test" })
        } else {
            reason.clone()
        };
        let (status, done) = service.ordered(&format!("/v1/flags/a/{verb}"), body).await;
        assert_eq!(status, 200, "{verb}: {done}");
    }
}

async fn problem(feeds: &Feeds, code: &str) -> Option<Json> {
    let found = Answer::of(feeds.guarded.service.admin("/v1/problems").await).await.body;
    let all = found["problems"].as_array().unwrap();
    all.iter().find(|problem| problem["code"] == code).cloned()
}

async fn refuses(feeds: &Feeds) {
    wait_until("feeds answer 503", async || feeds.poll("b-1", "").await.status == 503).await;
    for answer in [
        feeds.poll("b-1", "").await,
        feeds.publish("b-1", json!({ "events": [event("late")] })).await,
        feeds.delete("b-1").await,
    ] {
        assert_eq!((answer.status, answer.code()), (503, "events-unavailable"));
        assert_ne!(answer.header("retry-after"), "");
    }
    let details = [feeds.poll("b-1", "").await, feeds.delete("b-1").await]
        .map(|answer| answer.body["detail"].as_str().unwrap().to_owned());
    assert!(details.iter().all(|detail| !detail.contains("publish")), "{details:?}");
    wait_until("it is a problem", async || problem(feeds, "events-unavailable").await.is_some())
        .await;
    control_works(&feeds.guarded.service).await;
}

async fn works_again(feeds: &Feeds, ids: &[String]) {
    wait_until("feeds work again", async || feeds.poll("b-1", "").await.status == 200).await;
    assert_eq!(feeds.drain("b-1", "", 50).await, ids);
    wait_until("it is over", async || problem(feeds, "events-unavailable").await.is_none()).await;
}

#[tokio::test]
async fn a_database_that_is_gone_is_taken_up_again() {
    let feeds = Feeds::start().await;
    feeds.publish_ids("b-1", numbered(1..=3)).await;
    let data = feeds.guarded.service.data.clone();
    let aside = data.join("aside");
    fs::create_dir(&aside).unwrap();
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        fs::rename(data.join(name), aside.join(name)).unwrap();
    }
    refuses(&feeds).await;
    // Events that a new file took meanwhile would be gone with it: none is made, however often it
    // is looked for the old one (every two seconds).
    for _ in 0..50 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert!(!data.join("events.db").exists(), "a new file is made while the service runs");
    }
    refuses(&feeds).await;
    for name in ["events.db-wal", "events.db-shm", "events.db"] {
        fs::rename(aside.join(name), data.join(name)).unwrap();
    }
    works_again(&feeds, &numbered(1..=3)).await;
}

#[tokio::test]
async fn a_corrupt_database_keeps_nothing_from_starting() {
    let mut feeds = Feeds::start().await;
    feeds.publish_ids("b-1", numbered(1..=3)).await;
    feeds.guarded.service.stop().await;
    let path = feeds.guarded.service.data.join("events.db");
    let good = fs::read(&path).unwrap();
    for damaged in
        [vec![0; 8192], b"not a database, but long enough to look like one".repeat(200), Vec::new()]
    {
        fs::write(&path, damaged).unwrap();
        feeds.guarded.service.restart().await;
        refuses(&feeds).await;
        feeds.guarded.service.stop().await;
    }
    feeds.guarded.service.restart().await;
    refuses(&feeds).await;
    fs::write(&path, good).unwrap();
    works_again(&feeds, &numbered(1..=3)).await;
}

async fn lock(feeds: &Feeds) -> SqliteConnection {
    let path = feeds.guarded.service.data.join("events.db");
    let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE; UPDATE meta SET commits = commits")
        .execute(&mut other)
        .await
        .unwrap();
    other
}

#[tokio::test]
async fn a_locked_database_refuses_publishes_alone() {
    let feeds = Feeds::start().await;
    feeds.publish_ids("b-1", numbered(1..=2)).await;
    let holder = lock(&feeds).await;
    let refused = feeds.publish("b-1", json!({ "events": [event("e-3")] })).await;
    assert_eq!((refused.status, refused.code()), (503, "events-unavailable"));
    wait_until("it is a problem", async || problem(&feeds, "events-unavailable").await.is_some())
        .await;
    assert_eq!(feeds.drain("b-1", "", 50).await, numbered(1..=2), "polls go on");
    control_works(&feeds.guarded.service).await;
    drop(holder);
    wait_until("publishes are taken", async || {
        feeds.publish("b-1", json!({ "events": [event("e-3")] })).await.status == 200
    })
    .await;
    works_again(&feeds, &numbered(1..=3)).await;
}

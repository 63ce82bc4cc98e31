//! A server key may do what its line ends in, and nothing else.

use std::fs;

use reqwest::Method;
use serde_json::json;

use super::{Feeds, event};
use crate::support::guarded::sha256;
use crate::support::wait_until;

#[tokio::test]
async fn a_limited_key_does_only_what_its_line_says() {
    let feeds = Feeds::start().await;
    let servers = feeds.guarded.home.path().join("servers");
    let mut lines = fs::read_to_string(&servers).unwrap();
    for (key, may) in [
        ("key-asks", "ask"),
        ("key-publishes", "publish"),
        ("key-of-a", "a"),
        ("key-of-b", "b"),
        ("key-of-flag-a", "flag:a"),
        ("key-of-flag-ask", "flag:ask"),
        ("key-sessions", "sessions"),
        ("key-both", "ask publish a"),
    ] {
        lines += &format!("{key} {} {may}\n", sha256(key));
    }
    fs::write(&servers, lines).unwrap();
    let ask = async |key: &str, method: Method, path: &str, body: String| {
        feeds.ask(method, path, Some(key), Some(body)).await.status
    };
    let body = json!({ "events": [event("e-1")] }).to_string();
    wait_until("the keys are known", async || {
        ask("key-both", Method::POST, "/v1/feeds/a/b-1", body.clone()).await == 200
    })
    .await;
    let question = json!({ "targetingKey": "u-1" }).to_string();
    for (key, publish, poll, strategy, all, list) in [
        ("key-asks", 403, 200, 200, 200, 200),
        ("key-publishes", 200, 403, 403, 403, 200),
        ("key-of-a", 200, 200, 200, 403, 200),
        ("key-of-b", 403, 403, 403, 403, 403),
        ("key-of-flag-a", 200, 200, 200, 403, 200),
        ("key-of-flag-ask", 403, 403, 403, 403, 403),
        ("key-sessions", 403, 403, 403, 403, 403),
        ("key-both", 200, 200, 200, 403, 200),
    ] {
        assert_eq!(
            [
                ask(key, Method::POST, "/v1/feeds/a/b-1", body.clone()).await,
                ask(key, Method::GET, "/v1/feeds/a/b-1", String::new()).await,
                ask(key, Method::POST, "/v1/strategy/a", question.clone()).await,
                ask(key, Method::POST, "/v1/strategy", question.clone()).await,
                ask(key, Method::GET, "/v1/feeds/a", String::new()).await,
            ],
            [publish, poll, strategy, all, list],
            "{key}"
        );
    }
}

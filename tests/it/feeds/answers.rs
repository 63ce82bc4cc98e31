//! How answers look: tags, what may be kept, and lists.

use std::fs;

use reqwest::Method;
use serde_json::json;

use super::{Answer, Feeds, event, numbered};
use crate::support::guarded::SERVER_KEY;
use crate::support::wait_until;

#[tokio::test]
async fn an_idle_poll_is_a_304_and_nothing_else_is() {
    let feeds = Feeds::start().await;
    feeds.publish("b-1", json!({ "readers": ["u-1"], "events": [event("e-1")] })).await;
    let first = feeds.poll_as("u-1", "b-1", "").await;
    assert_eq!(first.header("cache-control"), "no-store", "events are not kept by caches");
    let query = format!("?cursor={}", first.cursor());
    let idle = feeds.poll_as("u-1", "b-1", &query).await;
    assert_eq!(idle.header("cache-control"), "private, no-cache");
    let tag = idle.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag != first.header("etag"));
    let service = &feeds.guarded.service;
    let token = feeds.issuer.token("u-1");
    let with_tag = async |tag: String| {
        let request = service.client.get(service.url(&format!("/v1/feeds/a/b-1{query}")));
        let request = request.bearer_auth(&token).header("if-none-match", tag);
        Answer::of(request.send().await.unwrap()).await
    };
    for (held, status) in [
        (tag.clone(), 304),
        (format!("\"x\", W/{tag}"), 304),
        ("\"x\"".to_owned(), 200),
        (first.header("etag").to_owned(), 200),
    ] {
        let answer = with_tag(held).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("etag"), tag);
        assert_ne!(answer.header("turnout-flag-revision"), "");
        assert_ne!(answer.header("turnout-time"), "");
    }
    // A page of events is not held by anybody, whatever its reader says.
    for held in ["*", "\"x\", *", first.header("etag")] {
        let request = service.client.get(service.url("/v1/feeds/a/b-1")).bearer_auth(&token);
        let answer = request.header("if-none-match", held).send().await.unwrap();
        let answer = Answer::of(answer).await;
        assert_eq!((answer.status, answer.ids()), (200, vec!["e-1".to_owned()]), "{held}");
    }
    let longer = feeds.poll_as("u-1", "b-1", &format!("{query}&limit=7")).await;
    assert_ne!(longer.header("etag"), tag, "the limit is part of the tag");
    feeds.publish("b-1", json!({ "ended": true, "events": [] })).await;
    let ended = with_tag(tag.clone()).await;
    assert_eq!((ended.status, &ended.body["ended"]), (200, &json!(true)), "the end is news");
    feeds.publish_ids("b-2", numbered(1..=1)).await;
}

#[tokio::test]
async fn streams_are_listed_a_hundred_at_a_time() {
    let feeds = Feeds::start().await;
    for n in 0..102 {
        let readers = if n == 0 { json!("verified") } else { json!(["u-1", "u-2"]) };
        let body = json!({ "readers": readers, "events": [event("e-1")] });
        assert_eq!(feeds.publish(&format!("b-{n:03}"), body).await.status, 200);
    }
    let list = async |query: &str| {
        feeds.ask(Method::GET, &format!("/v1/feeds/a{query}"), Some(SERVER_KEY), None).await
    };
    let first = list("").await;
    let streams = first.body["streams"].as_array().unwrap();
    assert_eq!((streams.len(), &first.body["hasMore"]), (100, &json!(true)));
    assert_eq!(streams[0]["readers"], "verified");
    assert_eq!((&streams[1]["readers"], &streams[1]["head"]), (&json!(2), &json!(1)));
    assert!(!first.body.to_string().contains("u-1"), "a list names no user");
    let second = list("?after=b-099").await;
    assert_eq!(second.body["streams"].as_array().unwrap().len(), 2);
    assert_eq!(second.body["hasMore"], false);
    assert_eq!(list("?after=b%2D099").await.body, second.body);
    for bad in ["?after=..", "?after=", "?after", "?after=b-1&after=b-1", "?after=%ff"] {
        assert_eq!(list(bad).await.code(), "invalid-request", "{bad}");
    }
}

/// The address that a strategy document names is that of the user's feed.
#[tokio::test]
async fn the_address_of_a_strategy_document_is_polled() {
    let feeds = Feeds::start().await;
    feeds.publish("b:42", json!({ "readers": ["u-1"], "events": [event("e-1")] })).await;
    let token = feeds.issuer.token("u-1");
    let ask = async |path: &str| feeds.ask(Method::GET, path, Some(&token), None).await;
    // As the shipped flag has it.
    let shipped =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/flags/build-events.yaml"));
    let line =
        shipped.unwrap().lines().find(|line| line.starts_with("  polling:")).unwrap().to_owned();
    let line = line.replace("build-events", "a");
    let path = feeds.guarded.service.flags.join("a.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\ntransports:\n{line}\n")).unwrap();
    wait_until("the address is live", async || {
        ask("/v1/strategy/a").await.body["polling"]["url"].is_string()
    })
    .await;
    let document = ask("/v1/strategy/a").await.body;
    let polling = &document["polling"];
    let template = polling["url"].as_str().unwrap();
    assert!(template.contains("{stream}"), "{document}");
    for stream in ["b:42", "b%3A42"] {
        let url = template.replace("{stream}", stream) + &format!("?limit={}", polling["limit"]);
        let page = ask(&url).await;
        assert_eq!((page.status, page.ids()), (200, numbered(1..=1)), "{url}");
    }
}

/// The same streams on the admin listener.
#[tokio::test]
async fn an_operator_publishes_and_reads() {
    let feeds = Feeds::start().await;
    let service = &feeds.guarded.service;
    let (status, done) =
        service.ordered("/v1/feeds/a/b-1", json!({ "events": [event("e-1")] })).await;
    assert_eq!((status, &done["accepted"]), (200, &json!(1)), "{done}");
    let page = Answer::of(service.admin("/v1/feeds/a/b-1").await).await;
    assert_eq!(page.ids(), ["e-1"]);
    let listed = Answer::of(service.admin("/v1/feeds/a").await).await;
    assert_eq!(listed.body["streams"][0]["stream"], "b-1");
    let viewer = service.make_token("looks", "viewer", json!({})).await;
    let refused = service.order_as(&viewer.secret, "/v1/feeds/a/b-1", json!({})).await;
    assert_eq!(refused.0, 403);
    let gone = service.call(Method::DELETE, "/v1/feeds/a/b-1", Some(&service.token())).await;
    assert_eq!(Answer::of(gone).await.body["existed"], true);
}

/// A poll that finds nothing asks no database, and one that finds events at most once.
#[tokio::test]
async fn idle_polls_touch_no_database() {
    let feeds = Feeds::start().await;
    feeds.publish_ids("b-1", numbered(1..=3)).await;
    let queries = || feeds.guarded.service.app.feeds().queries();
    let cursor = feeds.poll("b-1", "").await.cursor();
    let before = queries();
    for _ in 0..50 {
        assert_eq!(feeds.poll("b-1", &format!("?cursor={cursor}")).await.ids().len(), 0);
        assert_eq!(feeds.poll("b-1", "?cursor=now").await.ids().len(), 0);
    }
    assert_eq!(queries(), before);
    assert_eq!(feeds.poll("b-1", "").await.ids().len(), 3);
    assert!(queries() <= before + 1);
}

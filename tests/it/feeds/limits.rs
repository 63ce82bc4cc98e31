//! How many answers a user gets.

use reqwest::Method;
use serde_json::json;

use super::{Answer, Feeds, event};

/// Polls until a user has had every answer, with the statuses in turn, and returns the refusal.
async fn exhaust(feeds: &Feeds, user: &str, polls: &[(&str, u16)]) -> Answer {
    for n in 0..60_u32 {
        let (path, status) = polls[n as usize % polls.len()];
        let answer = feeds.poll_as(user, path, "").await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), r#""feed";q=60;w=60"#);
        let (left, seconds) = left(&answer);
        assert_eq!(left, 59 - n);
        assert!((1..=61).contains(&seconds), "{answer:?}");
    }
    feeds.poll_as(user, polls[0].0, "").await
}

/// What an answer says is left, and in how many seconds one more is free.
fn left(answer: &Answer) -> (u32, u32) {
    let field = answer.header("ratelimit");
    let parts = field.strip_prefix(r#""feed";r="#).and_then(|rest| rest.split_once(";t="));
    let (left, seconds) = parts.unwrap_or_else(|| panic!("{field}"));
    (left.parse().unwrap(), seconds.parse().unwrap())
}

#[tokio::test]
async fn a_user_gets_sixty_answers_in_a_minute_whatever_they_are() {
    let feeds = Feeds::start().await;
    feeds.publish("b-1", json!({ "readers": "verified", "events": [event("e-1")] })).await;
    let polls = [("b-1", 200), ("no-such", 404), ("b%2D1", 200)];
    let refused = exhaust(&feeds, "u-1", &polls).await;
    assert_eq!((refused.status, refused.code()), (429, "quota-exceeded"), "{refused:?}");
    let (none, seconds) = left(&refused);
    assert_eq!(none, 0);
    assert_eq!(refused.header("retry-after"), seconds.to_string());
    assert_ne!(refused.header("turnout-flag-revision"), "");
    assert!(!refused.body.to_string().contains("u-1"), "no user is named");
    for _ in 0..3 {
        let again = feeds.poll_as("u-1", "b-1", "").await;
        assert_eq!((again.status, left(&again).0), (429, 0), "a refusal counts for nothing");
    }
    assert_eq!(left(&feeds.poll_as("u-2", "b-1", "").await).0, 59, "another user");
    let metrics = feeds.guarded.service.admin("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("turnout_quota_refusals_total{policy=\"feed\"} 4"), "{metrics}");
    let token = feeds.issuer.token("u-1");
    for _ in 0..70 {
        let own = feeds.ask(Method::GET, "/v1/strategy/a", Some(&token), None).await;
        assert_eq!(own.status, 200, "a question has no limit");
        assert_eq!(own.header("ratelimit"), "");
        let server = feeds.poll("b-1", "").await;
        assert_eq!((server.status, server.header("ratelimit")), (200, ""), "nor has a server");
    }
    let stranger = feeds.ask(Method::GET, "/v1/feeds/a/b-1", None, None).await;
    assert_eq!((stranger.status, stranger.header("ratelimit")), (401, ""));
}

#[tokio::test]
async fn what_is_known_already_counts() {
    let feeds = Feeds::start().await;
    feeds.publish("b-1", json!({ "readers": "verified", "events": [event("e-1")] })).await;
    let first = feeds.poll_as("u-1", "b-1", "?cursor=now").await;
    let token = feeds.issuer.token("u-1");
    let service = &feeds.guarded.service;
    for n in 1..60 {
        let request = service.client.get(service.url("/v1/feeds/a/b-1?cursor=now"));
        let request = request.bearer_auth(&token).header("if-none-match", first.header("etag"));
        let held = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((held.status, left(&held).0), (304, 59 - n));
    }
    assert_eq!(feeds.poll_as("u-1", "b-1", "").await.status, 429);
}

//! A stream that is not yours and one that does not exist are not told apart, by answer or by cost.

use std::fs;

use serde_json::json;

use super::{Answer, Feeds, event, numbered};
use crate::support::wait_until;

/// An answer without what differs between any two moments.
fn looks(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "turnout-time", "ratelimit"].contains(&name.as_str()));
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    (answer.status, answer.body.to_string(), headers.map(text).collect())
}

#[tokio::test]
async fn a_stream_of_others_costs_what_one_that_is_not_there_costs() {
    let mut feeds = Feeds::start().await;
    feeds.publish("foreign", json!({ "readers": ["u-1"], "events": [event("e-1")] })).await;
    feeds.publish("gone", json!({ "readers": ["u-1"], "events": [event("e-1")] })).await;
    feeds.delete("gone").await;
    for state in ["in memory", "on disk alone"] {
        if state == "on disk alone" {
            feeds.guarded.service.stop().await;
            feeds.guarded.service.restart().await;
        }
        let queries = || feeds.guarded.service.app.feeds().queries();
        let mut seen = Vec::new();
        for stream in ["foreign", "gone", "absent"] {
            for (round, cost) in [(1, 1), (2, 0), (3, 0)] {
                let queries_before = queries();
                let query = ["", "?cursor=now", "?cursor=AAAA"][round - 1];
                let answer = feeds.poll_as("u-2", stream, query).await;
                assert_eq!(answer.code(), "stream-not-found", "{state} {stream}: {answer:?}");
                assert_eq!(queries() - queries_before, cost, "{state} {stream}, poll {round}");
                seen.push(looks(&answer));
            }
        }
        assert!(seen.iter().all(|look| *look == seen[0]), "{state}: {seen:?}");
        let before = queries();
        for n in 0..50 {
            let stranger = format!("stranger-{n}");
            for stream in ["foreign", "gone", "absent"] {
                assert_eq!(feeds.poll_as(&stranger, stream, "").await.status, 404);
            }
        }
        assert_eq!(queries(), before, "{state}: another stranger's polls cost no query either");
        assert_eq!(feeds.poll_as("u-1", "foreign", "").await.ids(), numbered(1..=1), "{state}");
        assert_eq!(feeds.poll("foreign", "").await.ids(), numbered(1..=1), "{state}");
    }
}

/// A reader who waits for a stream has it with its first event, whatever was answered before.
#[tokio::test]
async fn a_stream_is_there_as_soon_as_it_is_made() {
    let feeds = Feeds::start().await;
    for n in 0..40 {
        let stream = format!("b-{n}");
        let [user, first, second, third] =
            ["u", "w-1", "w-2", "w-3"].map(|who| format!("{who}-{n}"));
        let is_made = std::cell::Cell::new(false);
        let waits = async |user: &str| {
            while !is_made.get() {
                let answer = feeds.poll_as(user, &stream, "").await;
                assert!([200, 404, 429].contains(&answer.status), "{answer:?}");
            }
        };
        let makes = async {
            if n % 2 == 0 {
                assert_eq!(feeds.poll_as(&user, &stream, "").await.status, 404);
            }
            let readers = [&user, &first, &second, &third];
            let body = json!({ "readers": readers, "events": [event("e-1")] });
            assert_eq!(feeds.publish(&stream, body).await.status, 200);
            is_made.set(true);
            assert_eq!(feeds.poll_as(&user, &stream, "").await.ids(), ["e-1"], "{stream}");
        };
        tokio::join!(makes, waits(&first), waits(&second), waits(&third));
    }
    // A reader who is let in later, or taken out and let in again.
    for (readers, status) in [(json!([]), 404), (json!(["u-2"]), 200), (json!([]), 404)] {
        feeds.publish("b-0", json!({ "readers": readers, "events": [] })).await;
        for _ in 0..2 {
            assert_eq!(feeds.poll_as("u-2", "b-0", "").await.status, status);
        }
    }
}

#[tokio::test]
async fn a_database_that_is_put_back_is_asked_anew() {
    let mut feeds = Feeds::start().await;
    feeds.publish_ids("b-1", numbered(1..=2)).await;
    let data = feeds.guarded.service.data.clone();
    feeds.guarded.service.stop().await;
    let backup = fs::read(data.join("events.db")).unwrap();
    feeds.guarded.service.restart().await;
    feeds.delete("b-1").await;
    for _ in 0..3 {
        assert_eq!(feeds.poll("b-1", "").await.status, 404);
    }
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        let _ = fs::remove_file(data.join(name));
    }
    fs::write(data.join("events.db"), backup).unwrap();
    wait_until("the stream is there again", async || {
        let page = feeds.poll("b-1", "").await;
        page.status == 200 && page.ids() == numbered(1..=2)
    })
    .await;
}

//! What a stream says: the strategy first, then every event once and in order.

use serde_json::json;
use turnout::http::StreamLimits;

use super::{Realtime, ids};
use crate::feeds::{Answer, event, numbered};
use crate::support::guarded::SERVER_KEY;
use crate::support::wait_until;
use crate::support::watcher::Watcher;

#[tokio::test]
async fn a_stream_goes_on_where_polling_stopped() {
    let realtime = Realtime::start().await;
    realtime.publish_numbers("b-1", 1..=250).await;
    let session = realtime.session(json!({ "targetingKey": "u-sub" })).await;
    let page =
        realtime.ask(reqwest::Method::GET, "/v1/feeds/a/b-1?limit=30", &session, json!({})).await;
    assert_eq!(page.ids(), numbered(1..=30));
    let token = realtime.token(json!({ "targetingKey": "u-sub" }), "b-1").await;
    let mut stream = realtime.open(&token, "b-1", Some(&page.cursor())).await;
    let first = stream.next().await;
    assert_eq!((first.kind(), first.strategy(), &first.id), ("strategy", "realtime-v2", &None));
    assert!(first.retry.is_some() && first.data["heartbeatMs"].is_u64(), "{first:?}");
    let (ack_id, position) = (first.data["ackId"].clone(), first.data["position"].clone());
    let service = &realtime.guarded.service;
    let ack = json!({ "ackId": ack_id, "position": position }).to_string();
    assert_eq!(service.post("/v1/watch/ack", ack).await.status(), 204);
    let (mut got, mut cursor) = (Vec::new(), String::new());
    loop {
        let message = stream.next().await;
        if message.kind() == "up-to-date" {
            assert_eq!(message.id, None);
            break;
        }
        let some = ids(&message.data);
        assert!(some.len() <= 100, "{}", some.len());
        assert_eq!(message.id.as_deref(), message.data["cursor"].as_str());
        cursor = message.id.unwrap();
        got.extend(some);
        assert_eq!(message.data["hasMore"], got.len() < 220);
    }
    assert_eq!(got, numbered(31..=250));
    // What is published now comes at once, data with line ends too.
    let data = "{\n  \"lines\": [1,\r\n 2]\n}";
    let body = format!(r#"{{"events":[{{"id":"e-251","type":"t","data":{data}}}]}}"#);
    let request = service.client.post(service.url("/v1/feeds/a/b-1")).bearer_auth(SERVER_KEY);
    assert_eq!(request.body(body).send().await.unwrap().status(), 200);
    let message = stream.next_state().await;
    assert_eq!(ids(&message.data), ["e-251"]);
    assert_eq!(message.data["events"][0]["data"], json!({ "lines": [1, 2] }));
    // It is resumed behind any message, and polling goes on behind it.
    drop(stream);
    let mut again = realtime.open(&token, "b-1", Some(&cursor)).await;
    assert_eq!(again.next().await.kind(), "strategy");
    assert_eq!(ids(&again.next().await.data), ["e-251"]);
    assert_eq!(again.next().await.kind(), "up-to-date");
    let path = format!("/v1/feeds/a/b-1?cursor={}", message.id.unwrap());
    let page = realtime.ask(reqwest::Method::GET, &path, &session, json!({})).await;
    assert_eq!((page.status, page.ids().len()), (200, 0));
}

#[tokio::test]
async fn a_stream_that_is_made_anew_is_begun_anew_and_one_that_ends_says_so() {
    let realtime = Realtime::start().await;
    realtime.publish_numbers("b-1", 1..=3).await;
    let token = realtime.token(json!({ "targetingKey": "u-sub" }), "b-1").await;
    let mut stream = realtime.open_live(&token, "b-1").await;
    realtime.ask(reqwest::Method::DELETE, "/v1/feeds/a/b-1", SERVER_KEY, json!({})).await;
    let last = stream.next_state().await;
    assert_eq!((last.kind(), &last.data["reason"]), ("goodbye", &json!("stream-not-found")));
    realtime.publish_numbers("b-1", 7..=8).await;
    let cursor = realtime.refused(&token, "/v1/realtime/a/b-1?cursor=abc").await;
    assert_eq!(cursor, (400, "bad-cursor".to_owned()));
    // What does not name one place is refused, and no part of it taken.
    let service = &realtime.guarded.service;
    let page = realtime.ask(reqwest::Method::GET, "/v1/feeds/a/b-1", SERVER_KEY, json!({})).await;
    let good = page.cursor();
    for (path, lines) in [
        ("/v1/realtime/a/b-1", &[&*good, &good][..]),
        ("/v1/realtime/a/b-1", &[&good, "x"]),
        ("/v1/realtime/a/b-1", &["", &good]),
        ("/v1/realtime/a/b-1?cursor=now", &[""]),
        ("/v1/realtime/a/b-1", &[""]),
    ] {
        let mut request = service.client.get(service.url(path)).bearer_auth(&token);
        for line in lines {
            request = request.header("last-event-id", *line);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code()), (400, "bad-cursor"), "{path} {lines:?}");
    }
    let mut stream = realtime.open(&token, "b-1", None).await;
    assert_eq!(stream.next().await.kind(), "strategy");
    assert_eq!(ids(&stream.next().await.data), ["e-7", "e-8"]);
    assert_eq!(stream.next().await.kind(), "up-to-date");
    realtime.publish("b-1", json!({ "ended": true, "events": [event("e-9")] })).await;
    assert_eq!(ids(&stream.next_state().await.data), ["e-9"]);
    let last = stream.next_state().await;
    assert_eq!((last.kind(), &last.data["reason"]), ("goodbye", &json!("ended")));
    assert!(stream.maybe_next().await.is_none());
}

#[tokio::test]
async fn a_user_has_eight_streams_and_the_oldest_makes_room() {
    let realtime = Realtime::start().await;
    realtime.publish_numbers("b-1", 1..=1).await;
    let token = realtime.token(json!({ "targetingKey": "u-sub" }), "b-1").await;
    let other = realtime
        .token(json!({ "targetingKey": "u-2", "attributes": { "plan": "paid" } }), "b-1")
        .await;
    let mut of_other = realtime.open_live(&other, "b-1").await;
    let mut streams = Vec::new();
    for _ in 0..9 {
        streams.push(realtime.open_live(&token, "b-1").await);
    }
    let last = streams.remove(0).next_state().await;
    assert_eq!((last.kind(), &last.data["reason"]), ("goodbye", &json!("replaced")));
    realtime.publish_numbers("b-1", 2..=2).await;
    for stream in streams.iter_mut().chain([&mut of_other]) {
        assert_eq!(ids(&stream.next_state().await.data), ["e-2"]);
    }
    // Openings have a limit, which the answer shows.
    let service = &realtime.guarded.service;
    let mut refused = None;
    wait_until("the limit of openings", async || {
        let request = service.client.get(service.url("/v1/realtime/a/b-1")).bearer_auth(&token);
        let answer = request.send().await.unwrap();
        refused = (answer.status() == 429).then(|| answer.headers().clone());
        refused.is_some()
    })
    .await;
    let headers = refused.unwrap();
    assert_eq!(headers["ratelimit-policy"], "\"realtime\";q=20;w=60");
    assert!(headers.contains_key("retry-after"));
}

/// Where a user may have eight streams of any kind, the oldest realtime stream makes room too.
#[tokio::test]
async fn on_a_small_server_the_oldest_stream_makes_room_also_where_watches_take_some() {
    let limits = StreamLimits { streams: 16, ..StreamLimits::default() };
    let realtime = Realtime::start_limited(limits).await;
    realtime.publish_numbers("b-1", 1..=1).await;
    let user = json!({ "targetingKey": "u-sub" });
    let session = realtime.session(user.clone()).await;
    let service = &realtime.guarded.service;
    let watch = async || {
        let request = service.client.get(service.url("/v1/strategy/a/watch")).bearer_auth(&session);
        request.send().await.unwrap()
    };
    let (mut first, _second) = (Watcher::of(watch().await), Watcher::of(watch().await));
    assert_eq!(first.next_state().await.strategy(), "realtime-v2");
    let token = realtime.token(user, "b-1").await;
    let mut streams = Vec::new();
    for _ in 0..9 {
        streams.push(realtime.open_live(&token, "b-1").await);
    }
    for mut replaced in streams.drain(..3) {
        let last = replaced.next_state().await;
        assert_eq!((last.kind(), &last.data["reason"]), ("goodbye", &json!("replaced")));
        assert!(replaced.maybe_next().await.is_none());
    }
    realtime.publish_numbers("b-1", 2..=2).await;
    for stream in &mut streams {
        assert_eq!(ids(&stream.next_state().await.data), ["e-2"]);
    }
    // A place that was handed on is not given back a second time.
    assert_eq!(watch().await.status(), 503, "eight are open");
    drop(streams.pop());
    wait_until("one is free", async || watch().await.status() == 200).await;
}

//! A HEAD request for a stream gets the headers of one, and takes no place from anybody.

use reqwest::Method;
use serde_json::json;

use crate::feeds::event;
use crate::realtime::{Realtime, ids};
use crate::support::Service;

async fn opened(service: &Service) -> String {
    let metrics = service.admin("/metrics").await.text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("turnout_streams_opened"));
    line.unwrap_or_else(|| panic!("{metrics}")).to_owned()
}

#[tokio::test]
async fn a_head_request_opens_no_stream_and_ends_none() {
    let realtime = Realtime::start().await;
    realtime.publish_numbers("b-1", 1..=1).await;
    let service = &realtime.guarded.service;
    let user = json!({ "targetingKey": "u-sub" });
    let session = realtime.session(user.clone()).await;
    let token = realtime.token(user, "b-1").await;
    let mut streams = Vec::new();
    // As many as a user may have.
    for _ in 0..8 {
        streams.push(realtime.open_live(&token, "b-1").await);
    }
    let before = opened(service).await;
    for (path, credential) in [
        ("/v1/realtime/a/b-1", Some(&token)),
        ("/v1/realtime/a/b-1?cursor=now", Some(&token)),
        ("/v1/strategy/a/watch", Some(&session)),
        ("/v1/watch", Some(&session)),
        ("/ofrep/v1/events", None),
    ] {
        let mut request = service.client.request(Method::HEAD, service.url(path));
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream", "{path}");
        assert!(!answer.headers().contains_key("content-length"), "{path}");
    }
    assert_eq!(opened(service).await, before);
    realtime.publish("b-1", json!({ "events": [event("e-2")] })).await;
    for stream in &mut streams {
        assert_eq!(ids(&stream.next_state().await.data), ["e-2"]);
    }
}

//! A call that needs a body is told what to send where it has none.

use reqwest::Method;
use serde_json::json;

use crate::feeds::Answer;
use crate::realtime::Realtime;
use crate::support::guarded::SERVER_KEY;

#[tokio::test]
async fn an_empty_body_is_told_what_to_send_on_both_listeners() {
    let realtime = Realtime::start().await;
    let service = &realtime.guarded.service;
    let session = realtime.session(json!({ "targetingKey": "u-sub" })).await;
    for (path, credential, like) in [
        ("/v1/token", &*session, "\"stream\""),
        ("/v1/sessions", SERVER_KEY, "\"targetingKey\""),
        ("/v1/sessions/revoke", SERVER_KEY, "\"targetingKey\""),
        ("/v1/feeds/a/b-1", SERVER_KEY, ""),
        ("/v1/reports", &*session, ""),
        ("/v1/watch/ack", &*session, "\"ackId\""),
    ] {
        let request = service.client.post(service.url(path)).bearer_auth(credential);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code()), (400, "parse-error"), "{path}: {answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(like), "{path}: {answer:?}");
    }
    for path in ["/v1/sessions", "/v1/sessions/revoke", "/v1/feeds/a/b-1"] {
        let answer = service.call(Method::POST, path, Some(&service.token())).await;
        let answer = Answer::of(answer).await;
        assert_eq!((answer.status, answer.code()), (400, "parse-error"), "{path}: {answer:?}");
    }
}

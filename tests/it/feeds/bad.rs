//! What a bad request gets: the documented answer, and never a 5xx.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::json;
use turnout::feeds::StreamKey;

use super::{Feeds, event, numbered};
use crate::support::guarded::SERVER_KEY;
use crate::support::raw::Raw;

#[tokio::test]
async fn every_bad_poll_has_its_answer() {
    let feeds = Feeds::start().await;
    feeds.publish_ids("b-1", numbered(1..=3)).await;
    feeds.publish_ids("b-2", numbered(1..=9)).await;
    let ahead = ahead(&feeds, &feeds.poll("b-1", "").await.cursor());
    let foreign = feeds.poll("b-2", "?limit=1").await.cursor();
    let future = feeds.poll("b-2", "").await.cursor();
    feeds.delete("b-2").await;
    feeds.publish_ids("b-2", numbered(1..=3)).await;
    let token = feeds.issuer.token("u-stranger");
    for (what, path, credential, status, code) in [
        ("a garbage cursor", "b-1?cursor=%00x", SERVER_KEY, 400, "bad-cursor"),
        ("a short cursor", "b-1?cursor=AAAA", SERVER_KEY, 400, "bad-cursor"),
        (
            "a long cursor",
            &format!("b-1?cursor={}", "A".repeat(9_000)),
            SERVER_KEY,
            400,
            "bad-cursor",
        ),
        ("two cursors", "b-1?cursor=now&cursor=now", SERVER_KEY, 400, "bad-cursor"),
        ("an empty cursor", "b-1?cursor=", SERVER_KEY, 400, "bad-cursor"),
        ("a cursor without a value", "b-1?limit=5&cursor", SERVER_KEY, 400, "bad-cursor"),
        ("an encoded name", "b-1?%63ursor=x", SERVER_KEY, 400, "bad-cursor"),
        ("an empty limit", "b-1?limit=", SERVER_KEY, 400, "bad-limit"),
        ("an empty tail", "b-1?tail=", SERVER_KEY, 400, "bad-limit"),
        ("an empty wait", "b-1?wait=", SERVER_KEY, 400, "bad-limit"),
        ("a foreign cursor", &format!("b-1?cursor={foreign}"), SERVER_KEY, 400, "bad-cursor"),
        ("a future cursor", &format!("b-1?cursor={ahead}"), SERVER_KEY, 409, "stream-reset"),
        ("an outlived cursor", &format!("b-2?cursor={future}"), SERVER_KEY, 409, "stream-reset"),
        ("limit=0", "b-1?limit=0", SERVER_KEY, 400, "bad-limit"),
        ("limit=1e9", "b-1?limit=1e9", SERVER_KEY, 400, "bad-limit"),
        ("tail=-1", "b-1?tail=-1", SERVER_KEY, 400, "bad-limit"),
        ("wait=25001", "b-1?wait=25001", SERVER_KEY, 400, "bad-limit"),
        ("another user's stream", "b-1", &token, 404, "stream-not-found"),
        ("a stream that is not there", "b-9", &token, 404, "stream-not-found"),
        ("an encoded path", "..%2Fx", SERVER_KEY, 404, "stream-not-found"),
        ("no stream", "b%20x", SERVER_KEY, 404, "stream-not-found"),
        ("no identity", "b-1", "", 401, "unauthenticated"),
        ("a wrong credential", "b-1", "nothing", 401, "unauthenticated"),
    ] {
        let credential = Some(credential).filter(|credential| !credential.is_empty());
        let answer = feeds.ask(Method::GET, &format!("/v1/feeds/a/{path}"), credential, None).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{what}: {answer:?}");
        assert_ne!(answer.header("turnout-flag-revision"), "", "{what}");
        assert_ne!(answer.header("turnout-time"), "", "{what}");
        assert_eq!(answer.header("vary"), "authorization, x-api-key", "{what}");
    }
    let unknown = feeds.ask(Method::GET, "/v1/feeds/zzz/b-1", Some(SERVER_KEY), None).await;
    assert_eq!((unknown.status, unknown.code()), (404, "flag-not-found"));
}

/// The cursor behind the one of a stream's head.
fn ahead(feeds: &Feeds, head: &str) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(head).unwrap();
    let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    let stream = StreamKey::parse("a", "b-1").unwrap();
    let cursor = |position| feeds.guarded.service.app.feeds().cursor(&stream, number(1), position);
    assert_eq!(cursor(number(9)), head);
    cursor(number(9) + 1)
}

/// A client's URL library takes dots out of a path, so these are sent byte by byte.
#[tokio::test]
async fn a_path_of_dots_names_no_stream() {
    let feeds = Feeds::start().await;
    feeds.publish_ids("b-1", numbered(1..=1)).await;
    let mut raw = Raw::connect(&feeds.guarded.service).await;
    for stream in ["../x", ".", "..", "%2e", "%2e%2e", "..%2fx", "%2e%2e%2fb-1", "b-1/../b-1", ""] {
        for (method, length) in [("GET", 0), ("POST", 2), ("DELETE", 0)] {
            let request = format!(
                "{method} /v1/feeds/a/{stream} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {SERVER_KEY}\r\ncontent-length: {length}\r\n\r\n{}",
                &"{}"[..length]
            );
            raw.send(request.as_bytes()).await;
            let answer = raw.answer().await;
            // Removing what is not there is done.
            let done = method == "DELETE" && answer.as_deref() == Some("200");
            let refused = answer.as_deref().is_some_and(|answer| answer.starts_with("404 "));
            assert!(done || refused, "{method} {stream}: {answer:?}");
        }
    }
    assert_eq!(feeds.drain("b-1", "", 50).await, numbered(1..=1));
}

#[tokio::test]
async fn every_bad_publish_has_its_answer() {
    let feeds = Feeds::start().await;
    feeds.publish_ids("b-1", numbered(1..=1)).await;
    let events = |count: u32| json!({ "events": (0..count).map(|n| event(&n.to_string())).collect::<Vec<_>>() });
    let same = json!({ "events": [event("s"), event("s")] }).to_string();
    let unequal = json!({ "events": [event("u"), { "id": "u", "type": "build.step", "data": 5 }] })
        .to_string();
    let wide =
        json!({ "readers": (0..101).map(|n| n.to_string()).collect::<Vec<_>>() }).to_string();
    let data = json!({ "events": [{ "id": "d", "type": "t", "data": "x".repeat(33 * 1024) }] });
    let long = format!("{{\"events\":[]{}}}", " ".repeat(256 * 1024));
    for (what, stream, body, status, code) in [
        ("100 events", "b-2", events(100).to_string(), 200, ""),
        ("101 events", "b-1", events(101).to_string(), 413, "too-large"),
        ("33 KiB of data", "b-1", data.to_string(), 413, "too-large"),
        ("a body over its bound", "b-1", long, 413, "too-large"),
        ("101 readers", "b-1", wide, 413, "too-large"),
        ("the same id twice, equal", "b-1", same, 200, ""),
        ("the same id twice, unequal", "b-1", unequal, 409, "event-exists"),
        ("not JSON", "b-1", "{".to_owned(), 400, "parse-error"),
        ("a list", "b-1", "[]".to_owned(), 400, "invalid-request"),
        ("an unknown member", "b-1", "{\"event\":[]}".to_owned(), 400, "invalid-request"),
        ("a bad name", "-x", events(1).to_string(), 404, "stream-not-found"),
    ] {
        let answer = feeds.publish_raw(stream, body).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{what}: {answer:?}");
    }
    assert_eq!(feeds.drain("b-1", "", 50).await, ["e-1", "s"]);
    let token = feeds.issuer.token("u-1");
    for (what, credential, status, code) in [
        ("no identity", None, 401, "unauthenticated"),
        ("a user", Some(token.as_str()), 403, "not-permitted"),
    ] {
        for (method, path) in [
            (Method::POST, "/v1/feeds/a/b-1"),
            (Method::DELETE, "/v1/feeds/a/b-1"),
            (Method::GET, "/v1/feeds/a"),
        ] {
            let answer = feeds.ask(method, path, credential, Some(events(1).to_string())).await;
            assert_eq!((answer.status, answer.code()), (status, code), "{what}: {answer:?}");
        }
    }
}

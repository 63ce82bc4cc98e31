//! Each change ends exactly the streams it concerns.

use std::fs;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use turnout::auth::Algorithm;
use turnout::flag::{Unit, bucket, hash};

use super::{Realtime, ids};
use crate::support::guarded::SERVER_KEY;
use crate::support::issuer::Issuer;
use crate::support::watcher::Watcher;
use crate::support::{flag, wait_until};

/// Streams of three users: one who is listed, one of the plan `paid`, and one let in by a verified
/// address.
struct Three {
    tokens: Vec<String>,
    streams: Vec<Watcher>,
}

async fn open_three(realtime: &Realtime) -> Three {
    realtime.publish_numbers("b-1", 1..=1).await;
    let users = [
        json!({ "targetingKey": "u-sub" }),
        json!({ "targetingKey": "u-2", "attributes": { "plan": "paid" } }),
        json!({ "targetingKey": "u-3", "attributes": { "email": "ops@example.com" } }),
    ];
    let (mut tokens, mut streams) = (Vec::new(), Vec::new());
    for user in users {
        let token = realtime.token(user, "b-1").await;
        streams.push(realtime.open_live(&token, "b-1").await);
        tokens.push(token);
    }
    Three { tokens, streams }
}

impl Three {
    /// Expects that these streams end for this reason, and that the others get the next event.
    async fn check(&mut self, realtime: &Realtime, ended: [bool; 3], reason: &str) {
        for (stream, _) in self.streams.iter_mut().zip(ended).filter(|(_, ended)| *ended) {
            let mut message = stream.next_state().await;
            if reason == "strategy" {
                assert_eq!((message.kind(), message.strategy()), ("strategy", "polling"));
                message = stream.next_state().await;
            }
            assert_eq!((message.kind(), &message.data["reason"]), ("goodbye", &json!(reason)));
            assert!(stream.maybe_next().await.is_none());
        }
        let body =
            json!({ "events": [{ "id": format!("last-{reason}"), "type": "t", "data": 1 }] });
        realtime.publish("b-1", body).await;
        for (stream, _) in self.streams.iter_mut().zip(ended).filter(|(_, ended)| !*ended) {
            loop {
                let message = stream.next_state().await;
                // A document of the same strategy may be another.
                if message.kind() == "strategy" {
                    assert_eq!(message.strategy(), "realtime-v2");
                    continue;
                }
                assert_eq!(ids(&message.data), [format!("last-{reason}")]);
                break;
            }
        }
    }

    /// Expects that no stream can be opened with the tokens of before.
    async fn check_refused(&self, realtime: &Realtime, expected: [(u16, &str); 3]) {
        for (token, (status, code)) in self.tokens.iter().zip(expected) {
            let refused = realtime.refused(token, "/v1/realtime/a/b-1?cursor=now").await;
            assert_eq!(refused, (status, code.to_owned()));
        }
    }
}

const NOT_REALTIME: (u16, &str) = (403, "not-realtime");

#[tokio::test]
async fn a_stop_closes_every_stream_also_with_the_database_dead_and_after_a_restart() {
    let mut realtime = Realtime::start().await;
    let mut three = open_three(&realtime).await;
    let path = realtime.guarded.service.data.join("turnout.db");
    let options = SqliteConnectOptions::new().filename(path);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let stop = realtime.guarded.service.order("/v1/flags/a/stop", json!({})).await;
    assert_eq!(stop.status(), 202);
    three.check(&realtime, [true; 3], "strategy").await;
    three.check_refused(&realtime, [NOT_REALTIME; 3]).await;
    let counts: Json =
        realtime.guarded.service.admin("/v1/flags/a/convergence").await.json().await.unwrap();
    assert_eq!(counts["streams"]["ended"], 3, "{counts}");
    assert_eq!(counts["streams"]["open"], 0, "{counts}");
    drop(other);
    let body = json!({ "flag": "a", "stream": "b-1" });
    let session = realtime.session(json!({ "targetingKey": "u-sub" })).await;
    assert_eq!(realtime.ask_token(&session, body.clone()).await.code(), "not-realtime");
    realtime.guarded.service.crash().await;
    realtime.guarded.service.restart().await;
    three.check_refused(&realtime, [NOT_REALTIME; 3]).await;
    let resumed =
        realtime.guarded.service.order("/v1/flags/a/resume", json!({ "reason": "over" })).await;
    assert_eq!(resumed.status(), 200);
    // Tokens of before the restart open streams again, which the next stop closes.
    three.streams.clear();
    for token in &three.tokens {
        three.streams.push(realtime.open_live(token, "b-1").await);
    }
    realtime.guarded.service.order("/v1/flags/a/stop", json!({})).await;
    three.check(&realtime, [true; 3], "strategy").await;
}

#[tokio::test]
async fn a_changed_segment_closes_the_streams_of_those_it_let_in() {
    let realtime = Realtime::start().await;
    let mut three = open_three(&realtime).await;
    let path = realtime.guarded.service.flags.join("segments/internal.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("ops@example.com", "dev@example.com")).unwrap();
    three.check(&realtime, [false, false, true], "strategy").await;
    let refused = realtime.refused(&three.tokens[2], "/v1/realtime/a/b-1").await;
    assert_eq!(refused, (403, "not-realtime".to_owned()));
    realtime.open_live(&three.tokens[0], "b-1").await;
}

#[tokio::test]
async fn a_lowered_share_closes_the_streams_of_those_above_it_and_no_other() {
    let realtime = Realtime::start().await;
    let service = &realtime.guarded.service;
    let set = async |share: &str| {
        let body = json!({ "realtime-v2": share, "reason": "a test" });
        assert_eq!(service.order("/v1/flags/a/set", body).await.status(), 200, "{share}");
    };
    set("60%").await;
    // Listed, asked for by a rule, and let in by an address: the share does not concern them.
    let mut three = open_three(&realtime).await;
    let salt = "a".parse().unwrap();
    let bucket_of = |user: &str| bucket(hash(&salt, Unit::new(user).unwrap())).number();
    let users = (0..40).map(|n| format!("share-{n}"));
    let mut open = Vec::new();
    for (user, bucket) in users.map(|user| (user.clone(), bucket_of(&user))) {
        if bucket >= 60_000 {
            continue;
        }
        let token = realtime.token(json!({ "targetingKey": user }), "b-1").await;
        let stream = realtime.open_live(&token, "b-1").await;
        open.push((bucket, token, stream));
    }
    assert!(open.len() > 15, "{}", open.len());
    for (round, (share, percent)) in
        [(45_000, "45%"), (20_000, "20%"), (0, "0%")].iter().enumerate()
    {
        set(percent).await;
        let (stay, leave): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|(bucket, ..)| bucket < share);
        assert!(!leave.is_empty(), "{percent}");
        for (bucket, token, mut stream) in leave {
            let last = stream.next_state().await;
            assert_eq!((last.kind(), last.strategy()), ("strategy", "polling"), "{bucket}");
            assert_eq!(stream.next_state().await.data["reason"], "strategy", "{bucket}");
            assert!(stream.maybe_next().await.is_none(), "{bucket}");
            let refused = realtime.refused(&token, "/v1/realtime/a/b-1").await;
            assert_eq!(refused, (403, "not-realtime".to_owned()), "{bucket}");
        }
        open = stay;
        let id = format!("still-{round}");
        realtime.publish("b-1", json!({ "events": [{ "id": id, "type": "t", "data": 1 }] })).await;
        for stream in open.iter_mut().map(|(.., stream)| stream).chain(&mut three.streams) {
            loop {
                let message = stream.next_state().await;
                // A document of the same strategy may be another.
                if message.kind() == "events" {
                    assert_eq!(ids(&message.data), [&*id]);
                    break;
                }
                assert_eq!((message.kind(), message.strategy()), ("strategy", "realtime-v2"));
            }
        }
    }
}

#[tokio::test]
async fn a_removed_reader_is_cut() {
    let realtime = Realtime::start().await;
    let mut three = open_three(&realtime).await;
    realtime.publish("b-1", json!({ "readers": ["u-sub", "u-3"], "events": [] })).await;
    three.check(&realtime, [false, true, false], "stream-not-found").await;
    let refused = realtime.refused(&three.tokens[1], "/v1/realtime/a/b-1").await;
    assert_eq!(refused, (404, "stream-not-found".to_owned()));
}

/// A leaked key of the application is taken out of its source: what it vouched for ends with it.
#[tokio::test]
async fn an_applications_key_that_is_taken_out_ends_the_streams_of_its_sessions() {
    let realtime = Realtime::start().await;
    let mut three = open_three(&realtime).await;
    let session = realtime.application.token("u-sub");
    let body = json!({ "flag": "a", "stream": "b-1" });
    let answer = realtime.ask_token(&session, body.clone()).await;
    let token = answer.body["token"].as_str().unwrap().to_owned();
    let mut open = realtime.open_live(&token, "b-1").await;
    let next = Issuer::new(Algorithm::Es256, "next");
    let keys = realtime.guarded.home.path().join("keys");
    fs::write(keys, next.jwks()).unwrap();
    assert_eq!(open.next_state().await.data["reason"], "expired");
    assert!(open.maybe_next().await.is_none());
    let refused = realtime.refused(&token, "/v1/realtime/a/b-1").await;
    assert_eq!(refused, (401, "unauthenticated".to_owned()));
    // Neither sessions of our own nor those of the key that is accepted now are concerned.
    three.check(&realtime, [false; 3], "none").await;
    let answer = realtime.ask_token(&next.token("u-sub"), body).await;
    realtime.open_live(answer.body["token"].as_str().unwrap(), "b-1").await;
}

#[tokio::test]
async fn a_revoked_key_ends_the_streams_that_its_tokens_opened() {
    let realtime = Realtime::start().await;
    let mut three = open_three(&realtime).await;
    let path = format!("/v1/keys/{}/revoke", realtime.own.key_id);
    let revoked = realtime.guarded.service.order(&path, json!({})).await;
    assert_eq!(revoked.status(), 200);
    three.check(&realtime, [true; 3], "expired").await;
    three.check_refused(&realtime, [(401, "unauthenticated"); 3]).await;
}

#[tokio::test]
async fn a_users_revoked_sessions_end_that_users_streams() {
    let realtime = Realtime::start().await;
    let mut three = open_three(&realtime).await;
    let body = json!({ "targetingKey": "u-2" });
    let revoked = realtime.ask(Method::POST, "/v1/sessions/revoke", SERVER_KEY, body).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    three.check(&realtime, [false, true, false], "expired").await;
    let refused = realtime.refused(&three.tokens[1], "/v1/realtime/a/b-1").await;
    assert_eq!(refused, (401, "unauthenticated".to_owned()));
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_says_so_before() {
    let realtime = Realtime::start().await;
    realtime.publish_numbers("b-1", 1..=1).await;
    let session = json!({ "targetingKey": "u-sub", "ttlMs": 10_000 });
    let token = realtime.token(session, "b-1").await;
    let mut stream = realtime.open_live(&token, "b-1").await;
    let warning = stream.next_state().await;
    assert_eq!((warning.kind(), &warning.data["reason"]), ("goodbye", &json!("expired")));
    realtime.publish_numbers("b-1", 2..=2).await;
    assert_eq!(ids(&stream.next_state().await.data), ["e-2"], "events may still come");
    while let Some(message) = stream.maybe_next().await {
        assert_eq!(message.kind(), "heartbeat");
    }
    wait_until("the token is over", async || {
        realtime.refused(&token, "/v1/realtime/a/b-1").await.0 == 401
    })
    .await;
}

/// A client that takes nothing, behind more than the system keeps for it; it is over with the socket.
async fn open_stuck(realtime: &Realtime, token: &str) -> TcpStream {
    let mut socket = TcpStream::connect(realtime.guarded.service.app.address()).await.unwrap();
    let head = format!(
        "GET /v1/realtime/a/b-1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    for body in 0..25 {
        let data = "x".repeat(30_000);
        let event = |n| json!({ "id": format!("f-{body}-{n}"), "type": "t", "data": data });
        let events: Vec<Json> = (0..8).map(event).collect();
        realtime.publish("b-1", json!({ "events": events })).await;
    }
    assert_eq!(open_streams(realtime).await, 1);
    socket
}

async fn open_streams(realtime: &Realtime) -> u64 {
    let counts = realtime.guarded.service.admin("/v1/convergence").await;
    counts.json::<Json>().await.unwrap()["streams"]["open"].as_u64().unwrap()
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_by_a_stop_all_the_same() {
    let realtime = Realtime::start().await;
    realtime.publish_numbers("b-1", 1..=1).await;
    let token = realtime.token(json!({ "targetingKey": "u-sub" }), "b-1").await;
    let mut socket = open_stuck(&realtime, &token).await;
    realtime.guarded.service.order("/v1/flags/a/stop", json!({})).await;
    let begun = Instant::now();
    wait_until("the stream is closed", async || open_streams(&realtime).await == 0).await;
    // The bound is a second; the rest is for a busy machine. Without the cut it takes 30 s.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    assert!(!rest.is_empty());
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_when_its_token_ends() {
    const LIFE: Duration = Duration::from_secs(8);
    let realtime = Realtime::start().await;
    realtime.publish_numbers("b-1", 1..=1).await;
    let session = json!({ "targetingKey": "u-sub", "ttlMs": LIFE.as_millis() as u64 });
    let token = realtime.token(session, "b-1").await;
    let begun = Instant::now();
    let _socket = open_stuck(&realtime, &token).await;
    wait_until("the stream is closed", async || open_streams(&realtime).await == 0).await;
    let took = begun.elapsed();
    // The bound is two seconds; the rest is for a busy machine. Without the cut it takes 30 s.
    assert!(took < LIFE + Duration::from_secs(10), "{took:?}");
    assert!(took > LIFE - Duration::from_secs(2), "{took:?}");
}

/// Neither a change of its readers nor its removal waits for a client that takes nothing.
#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_when_the_stream_is_not_its_own_any_more() {
    let realtime = Realtime::start().await;
    for is_removed in [false, true] {
        realtime.publish_numbers("b-1", 1..=1).await;
        let token = realtime.token(json!({ "targetingKey": "u-sub" }), "b-1").await;
        let _socket = open_stuck(&realtime, &token).await;
        if is_removed {
            realtime.ask(Method::DELETE, "/v1/feeds/a/b-1", SERVER_KEY, json!({})).await;
        } else {
            realtime.publish("b-1", json!({ "readers": ["u-2"], "events": [] })).await;
        }
        let begun = Instant::now();
        wait_until("the stream is closed", async || open_streams(&realtime).await == 0).await;
        // The bound is a second; the rest is for a busy machine. Without the cut it takes 30 s.
        assert!(begun.elapsed().as_secs() < 10, "{is_removed}: {:?}", begun.elapsed());
        realtime.ask(Method::DELETE, "/v1/feeds/a/b-1", SERVER_KEY, json!({})).await;
    }
}

/// So is a watch: it has no place in a feed, and a caller all the same.
#[tokio::test]
async fn a_watch_whose_client_takes_nothing_is_cut_when_its_sessions_are_revoked() {
    let realtime = Realtime::start().await;
    let service = &realtime.guarded.service;
    for number in 0..300 {
        let key = format!("flag-{number}");
        fs::write(service.flags.join(format!("{key}.yaml")), flag(&key, "")).unwrap();
    }
    wait_until("the flags are there", async || {
        service.admin("/v1/status").await.text().await.unwrap().contains("\"flag-299\"")
    })
    .await;
    let session = realtime.session(json!({ "targetingKey": "u-sub" })).await;
    let mut socket = TcpStream::connect(service.app.address()).await.unwrap();
    let head =
        format!("GET /v1/watch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {session}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    wait_until("the watch is open", async || open_streams(&realtime).await == 1).await;
    // Each state has all flags: these are more than the system keeps.
    for _ in 0..40 {
        for verb in ["stop", "resume"] {
            let path = format!("/v1/flags/flag-1/{verb}");
            let done = service.order(&path, json!({ "reason": "a test" })).await;
            assert_eq!(done.status(), 200);
        }
    }
    assert_eq!(open_streams(&realtime).await, 1);
    let body = json!({ "targetingKey": "u-sub" });
    realtime.ask(Method::POST, "/v1/sessions/revoke", SERVER_KEY, body).await;
    let begun = Instant::now();
    wait_until("the watch is closed", async || open_streams(&realtime).await == 0).await;
    // The bound is a second; the rest is for a busy machine. Without the cut it takes 30 s.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    drop(socket);
}

//! A thousand open streams: keys are rotated under them, and a stop is watched until it has landed.

use std::sync::atomic::Ordering::Relaxed;

use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::task::{JoinSet, block_in_place};
use turnout::clock::Clock;

use super::{Realtime, ids};
use crate::support::typed::{output, turnout};
use crate::support::watcher::Watcher;
use crate::support::{Service, flag, wait_until};

const MINUTE: i64 = 60_000;
const OF_USER: usize = 8;
const USERS: usize = 125;

/// A token of a user, whose session an operator made.
async fn token(service: &Service, user: &str) -> String {
    let body = json!({ "targetingKey": user, "ttlMs": 86_400_000 });
    let session: Json = service.order("/v1/sessions", body).await.json().await.unwrap();
    let session = session["session"].as_str().unwrap_or_else(|| panic!("{session}"));
    let request = service.client.post(service.url("/v1/token")).bearer_auth(session);
    let body = json!({ "flag": "a", "stream": "b-1" }).to_string();
    let token: Json = request.body(body).send().await.unwrap().json().await.unwrap();
    token["token"].as_str().unwrap_or_else(|| panic!("{token}")).to_owned()
}

async fn open(service: &Service, token: &str) -> Watcher {
    let path = service.url("/v1/realtime/a/b-1?cursor=now");
    let mut stream = Watcher::of(service.client.get(path).bearer_auth(token).send().await.unwrap());
    while stream.next().await.kind() != "up-to-date" {}
    stream
}

/// Publishes an event, and expects it on each of the streams.
async fn all_get(service: &Service, streams: &mut [Watcher], id: &str) {
    let body = json!({ "readers": "verified", "events": [{ "id": id, "type": "t", "data": 1 }] });
    assert_eq!(service.order("/v1/feeds/a/b-1", body).await.status(), 200);
    for stream in streams {
        assert_eq!(ids(&stream.next_state().await.data), [id]);
    }
}

/// The part of a token that names its key.
fn head(token: &str) -> &str {
    token.split('.').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_refuses_and_cuts_none_of_a_thousand_streams_before_its_time_and_keeps_none_after()
 {
    let (clock, set_by_ms) = Clock::that_can_be_set();
    let everyone = flag("a", "rollout: { realtime-v2: 100% }");
    let service = Service::start_by(clock, &[("a.yaml", &everyone)]).await;
    all_get(&service, &mut [], "e-0").await;
    let first = token(&service, "u-first").await;
    let rotated = service.order("/v1/keys/rotate", json!({})).await;
    assert_eq!(rotated.status(), 200);

    // A minute before the new key signs.
    set_by_ms.store(19 * MINUTE, Relaxed);
    let (mut streams, mut unused) = (Vec::new(), Vec::new());
    for user in 0..USERS {
        let token = token(&service, &format!("u-{user}")).await;
        assert_eq!(head(&token), head(&first), "the new key does not sign yet");
        for _ in 0..OF_USER {
            streams.push(open(&service, &token).await);
        }
    }
    for user in 0..10 {
        unused.push(token(&service, &format!("u-late-{user}")).await);
    }
    all_get(&service, &mut streams, "e-1").await;

    // The new key signs: what the old one signed goes on, and opens streams.
    set_by_ms.store(20 * MINUTE + 1_000, Relaxed);
    let newer = token(&service, "u-newer").await;
    assert_ne!(head(&newer), head(&first));
    for token in &unused {
        streams.push(open(&service, token).await);
    }
    all_get(&service, &mut streams, "e-2").await;
    let mut of_newer = vec![open(&service, &newer).await];

    // Ten minutes are over for what the old key signed, and not for the other.
    set_by_ms.store(29 * MINUTE + 30_000, Relaxed);
    for stream in &mut streams {
        let last = stream.next_state().await;
        assert_eq!((last.kind(), &last.data["reason"]), ("goodbye", &json!("expired")));
        assert!(stream.maybe_next().await.is_none());
    }
    let path = service.url("/v1/realtime/a/b-1");
    for token in &unused {
        let refused = service.client.get(&path).bearer_auth(token).send().await.unwrap();
        assert_eq!(refused.status(), 401);
    }
    all_get(&service, &mut of_newer, "e-3").await;
}

/// Reads a stream to its end, and acknowledges what it says.
async fn follow(service: std::sync::Arc<Realtime>, mut stream: Watcher) {
    let mut ack_id = Json::Null;
    let service = &service.guarded.service;
    while let Some(message) = stream.maybe_next().await {
        if let Some(name) = message.data.get("ackId") {
            ack_id = name.clone();
        }
        // A watch says the position in the id.
        let id = message.id.filter(|_| message.data.get("cursor").is_none());
        let position = message.data.get("position").and_then(Json::as_str).map(str::to_owned);
        if let Some(position) = position.or(id) {
            let ack = json!({ "ackId": ack_id, "position": position }).to_string();
            service.post("/v1/watch/ack", ack).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_confirmed_or_has_ended_every_one_of_a_thousand_streams_on_both_tracks() {
    const REALTIME: usize = 63 * OF_USER;
    const POLLING: usize = 1_000 - REALTIME;
    let realtime = std::sync::Arc::new(Realtime::start().await);
    let service = &realtime.guarded.service;
    realtime.publish_numbers("b-1", 1..=1).await;
    let (mut followers, mut silent) = (JoinSet::new(), Vec::new());
    for user in 0..REALTIME / OF_USER {
        let user = format!("u-{user}");
        let session = json!({ "targetingKey": user, "attributes": { "plan": "paid" } });
        let token = realtime.token(session, "b-1").await;
        for number in 0..OF_USER {
            let stream = realtime.open(&token, "b-1", None).await;
            // A quarter of them acknowledge nothing.
            if number < 2 {
                silent.push(stream);
            } else {
                followers.spawn(follow(realtime.clone(), stream));
            }
        }
    }
    for user in 0..POLLING {
        let stream = Watcher::of_user(service, "a", &format!("p-{user}")).await;
        followers.spawn(follow(realtime.clone(), stream));
    }
    let counts = async || {
        let counts = service.admin("/v1/flags/a/convergence").await;
        counts.json::<Json>().await.unwrap()["streams"].clone()
    };
    wait_until("all but the silent ones have acknowledged", async || {
        let counts = counts().await;
        counts["open"] == 1_000 && counts["told"] == silent.len() && counts["missing"] == 0
    })
    .await;

    let mut stop = turnout();
    stop.args(["stop", "a", "-w"]).env("TURNOUT_SERVER", service.admin_url(""));
    stop.env("TURNOUT_DATA", &service.data);
    let (exit, printed, said) = block_in_place(|| output(&mut stop));
    assert_eq!(exit, 0, "{printed}{said}");
    let last = printed.lines().last().unwrap();
    assert!(
        last.contains(&format!("{REALTIME} left realtime")) && last.ends_with("done"),
        "{printed}"
    );
    assert!(!last.contains("told") && !last.contains("missing"), "{printed}");
    let after = json!({
        "open": POLLING, "confirmed": POLLING, "notNeeded": 0, "told": 0, "missing": 0, "ended": REALTIME,
    });
    assert_eq!(counts().await, after);
    for mut stream in silent {
        while stream.maybe_next().await.is_some() {}
    }
    followers.shutdown().await;
    // Polls are answered.
    let session = realtime.session(json!({ "targetingKey": "u-1" })).await;
    let poll = realtime.ask(Method::GET, "/v1/feeds/a/b-1", &session, json!({})).await;
    assert_eq!((poll.status, poll.ids().len()), (200, 1));
}

/// A stream that leaves memory wakes all its followers: one of them reads it again, for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_of_a_stream_that_leaves_memory_share_one_reading() {
    const FOLLOWERS: usize = 200;
    let everyone = flag("a", "rollout: { realtime-v2: 100% }");
    let service = Service::start(&[("a.yaml", &everyone)]).await;
    all_get(&service, &mut [], "e-1").await;
    let mut streams = Vec::new();
    for user in 0..FOLLOWERS / OF_USER {
        let token = token(&service, &format!("u-{user}")).await;
        for _ in 0..OF_USER {
            streams.push(open(&service, &token).await);
        }
    }
    let feeds = service.app.feeds();
    let before = feeds.queries();
    // Others take the place that streams have in memory.
    let events: Vec<Json> = (0..7)
        .map(|n| json!({ "id": format!("e-{n}"), "type": "t", "data": "x".repeat(32_000) }))
        .collect();
    let body = json!({ "readers": "verified", "events": events });
    for other in 0..200 {
        if feeds.queries() > before {
            break;
        }
        let path = format!("/v1/feeds/a/other-{other}");
        assert_eq!(service.order(&path, body.clone()).await.status(), 200);
    }
    wait_until("the stream is read again", async || feeds.queries() > before).await;
    all_get(&service, &mut streams, "e-2").await;
    assert_eq!(feeds.queries() - before, 1);
}

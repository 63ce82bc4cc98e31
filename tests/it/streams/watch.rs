//! Streams, on the real service: each client is sent the state that holds for it, and nothing else,
//! in the order of positions.

use std::time::Duration;

use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY};
use crate::support::in_time::{TimeLeft, in_time};
use crate::support::issuer::{Issuer, claims, now, with};
use crate::support::watcher::Watcher;
use crate::support::{Service, flag, wait_until};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use turnout::auth::{Algorithm, AnonymousAccess};
use turnout::http::{Limits, StreamLimits};

/// `u-4` has bucket 13: it is inside of 1 %; `u-0` has a high one.
async fn service() -> Service {
    let chat = flag(
        "chat",
        "salt: build-events\nallow: [{ users: [u-vip], strategy: realtime-v2 }]\nrollout: { realtime-v2: 10% }",
    );
    Service::start(&[
        ("chat.yaml", &chat),
        ("other.yaml", &flag("other", "rollout: { realtime-v2: 50% }")),
    ])
    .await
}

async fn set(service: &Service, flag: &str, share: &str) -> Json {
    let order = json!({ "realtime-v2": share, "reason": "test" });
    service.order(&format!("/v1/flags/{flag}/set"), order).await.json().await.unwrap()
}

#[tokio::test]
async fn the_state_comes_first_and_then_every_change_of_it() {
    let service = service().await;
    let mut stream = Watcher::of_user(&service, "chat", "u-1").await;
    for (name, value) in [
        ("cache-control", "no-store, no-transform"),
        ("x-accel-buffering", "no"),
        ("turnout-revision", "1"),
    ] {
        assert_eq!(stream.response.headers()[name], value);
    }
    assert!(!stream.response.headers().contains_key("content-length"));
    let asked = service.post("/v1/strategy/chat", r#"{"targetingKey":"u-1"}"#).await;
    let (tag, document) =
        (asked.headers()["etag"].to_str().unwrap().to_owned(), asked.json::<Json>().await.unwrap());
    let first = stream.next().await;
    assert_eq!((first.kind(), first.id.as_deref()), ("strategy", Some("1")));
    assert_eq!(
        (&first.data["document"], first.data["etag"].as_str()),
        (&document, Some(&*tag)),
        "the answer, word for word"
    );
    assert!(first.data["ackId"].is_string() && (1_000..=5_000).contains(&first.retry.unwrap()));

    for (position, share, strategy) in
        [("2", "100%", "realtime-v2"), ("3", "0%", "polling"), ("4", "100%", "realtime-v2")]
    {
        set(&service, "chat", share).await;
        let event = stream.next_state().await;
        // A narrowing change is live before it has its revision number.
        let id = event.id.as_deref().unwrap();
        assert!(id == position || share == "0%" && id == "2+1", "{id}");
        assert_eq!(
            (event.strategy(), event.retry, event.data.get("ackId")),
            (strategy, None, None)
        );
    }
}

#[tokio::test]
async fn a_change_that_does_not_affect_a_user_is_not_sent() {
    let service = service().await;
    let mut vip = Watcher::of_user(&service, "chat", "u-vip").await;
    let mut all = Watcher::open(&service, "/v1/watch", r#"{"targetingKey":"u-vip"}"#).await;
    let mut changes =
        Watcher::of(service.client.get(service.url("/ofrep/v1/events")).send().await.unwrap());
    assert_eq!(
        (vip.next().await.strategy(), changes.next().await.data),
        ("realtime-v2", refetch("1"))
    );
    let documents = all.next().await.data["documents"].clone();
    assert_eq!(
        documents,
        service
            .post("/v1/strategy", r#"{"targetingKey":"u-vip"}"#)
            .await
            .json::<Json>()
            .await
            .unwrap()
    );

    set(&service, "chat", "20%").await; // not to a user on the list
    set(&service, "other", "100%").await;
    set(&service, "other", "100%").await; // nothing changes
    service.order("/v1/flags/chat/stop", json!({})).await;
    let stopped = vip.next_state().await;
    assert_eq!(
        (stopped.strategy(), stopped.data["document"]["rule"].as_str()),
        ("polling", Some("stop"))
    );
    let mut rules = Vec::new();
    while rules.last().is_none_or(|rule| rule != "stop") {
        rules.push(
            all.next_state().await.data["documents"]["flags"][0]["rule"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    assert!(rules.len() <= 2, "{rules:?}");
    let mut heard = Vec::new();
    // A narrowing change is live before it has its number; a stream that looks slightly later only
    // sees the number.
    while heard.last().is_none_or(|id| id != "3+1" && id != "4") {
        let event = changes.next().await;
        assert_eq!(event.data, refetch(event.id.as_deref().unwrap()));
        heard.push(event.id.unwrap());
    }
    assert!(heard.len() <= 3, "one for each position with a change at most: {heard:?}");
}

fn refetch(position: &str) -> Json {
    json!({ "type": "refetchEvaluation", "etag": format!("r{position}") })
}

#[tokio::test]
async fn a_reconnecting_ofrep_client_is_sent_a_refetch() {
    let service = service().await;
    let came_back = service
        .client
        .get(service.url("/ofrep/v1/events"))
        .header("last-event-id", "1")
        .send()
        .await
        .unwrap();
    let mut changes = Watcher::of(came_back);
    assert_eq!(
        changes.next().await.data,
        refetch("1"),
        "it knows the position, and perhaps never got the answer"
    );
    set(&service, "chat", "20%").await;
    assert_eq!(changes.next().await.id.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_stream_checks_its_caller_before_it_sends_anything() {
    let issuer = Issuer::new(Algorithm::Es256, "key");
    let guarded =
        ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Deny).await;
    let service = &guarded.service;
    let token = issuer.token("u-sub");
    for path in ["/v1/strategy/a/watch", "/v1/watch"] {
        let mut mine = Watcher::open_as(service, path, &token).await;
        assert!(mine.next().await.data["ackId"].is_string());
        let as_server = service
            .client
            .post(service.url(path))
            .bearer_auth(SERVER_KEY)
            .body(r#"{"targetingKey":"u-1"}"#);
        Watcher::of(as_server.send().await.unwrap()).next().await;
        for (request, status) in [
            (service.client.get(service.url(path)), 401),
            (service.client.get(service.url(path)).bearer_auth(SERVER_KEY), 400),
            (service.client.post(service.url(path)).body("{}"), 401),
            (service.client.post(service.url(path)).bearer_auth("unknown").body("{}"), 401),
            (
                service
                    .client
                    .post(service.url(path))
                    .bearer_auth(&token)
                    .body(r#"{"targetingKey":"u-other"}"#),
                403,
            ),
            (service.client.post(service.url(path)).bearer_auth(&token).body("["), 400),
        ] {
            assert_eq!(request.send().await.unwrap().status(), status, "{path}");
        }
    }
    assert_eq!(
        service.client.get(service.url("/ofrep/v1/events")).send().await.unwrap().status(),
        200,
        "it tells nothing of users"
    );
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let issuer = Issuer::new(Algorithm::Es256, "key");
    let guarded =
        ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Deny).await;
    let token = issuer.sign(&issuer.header(), &with(&claims("u-sub"), "exp", json!(now() + 2)));
    let mut stream = Watcher::open_as(&guarded.service, "/v1/strategy/a/watch", &token).await;
    assert_eq!(stream.next().await.kind(), "strategy");
    let goodbye = stream.next_state().await;
    assert_eq!((goodbye.kind(), goodbye.data["reason"].as_str()), ("goodbye", Some("expired")));
    assert!(stream.maybe_next().await.is_none());
}

/// A client that would no longer be let in is sent nothing more (F38), and the others notice
/// nothing.
#[tokio::test]
async fn a_stream_ends_when_its_credential_is_no_longer_accepted() {
    let (old, new) = (Issuer::new(Algorithm::Es256, "old"), Issuer::new(Algorithm::Es256, "new"));
    let both = json!({ "keys": [old.jwk, new.jwk] }).to_string();
    let guarded = ProtectedEndpoint::start(&both, Algorithm::Es256, AnonymousAccess::Deny).await;
    let service = &guarded.service;
    let shop = service.make_token("shop", "server", json!({})).await;
    let office = service.make_token("office", "server", json!({})).await;
    let streams_of = async |credential: &str, names_a_user: bool| {
        let mut streams = Vec::new();
        for path in ["/v1/strategy/a/watch", "/v1/watch"] {
            let body = if names_a_user { r#"{"targetingKey":"u-1"}"# } else { "{}" };
            let request = service.client.post(service.url(path)).bearer_auth(credential).body(body);
            streams.push(Watcher::of(request.send().await.unwrap()));
        }
        streams
    };
    let believe =
        |file: &str, text: &str| std::fs::write(guarded.home.path().join(file), text).unwrap();
    let mut ending = [
        ("an issuer's old key", streams_of(&old.token("u-1"), false).await),
        ("a server's key", streams_of(SERVER_KEY, true).await),
        ("a server's token", streams_of(&shop.secret, true).await),
    ];
    let mut lasting =
        [streams_of(&new.token("u-1"), false).await, streams_of(&office.secret, true).await];
    for stream in
        ending.iter_mut().flat_map(|(_, streams)| streams).chain(lasting.iter_mut().flatten())
    {
        stream.next().await;
    }
    believe("keys", &new.jwks());
    believe("servers", "");
    assert_eq!(
        service.order(&format!("/v1/tokens/{}/revoke", shop.id), json!({})).await.status(),
        200
    );
    for (whose, streams) in &mut ending {
        for stream in streams {
            let goodbye = stream.next_state().await;
            assert_eq!(
                (goodbye.kind(), goodbye.data["reason"].as_str()),
                ("goodbye", Some("expired")),
                "{whose}"
            );
            assert!(stream.maybe_next().await.is_none(), "{whose}");
        }
    }
    // The first event these get is the next change.
    set(service, "a", "100%").await;
    for stream in lasting.iter_mut().flatten() {
        assert_ne!(stream.next_state().await.kind(), "goodbye");
    }
}

#[tokio::test]
async fn a_stream_ends_with_a_servers_token() {
    let guarded = ProtectedEndpoint::start(
        &Issuer::new(Algorithm::Es256, "key").jwks(),
        Algorithm::Es256,
        AnonymousAccess::Deny,
    )
    .await;
    let service = &guarded.service;
    in_time(Duration::from_millis(1_500), async |life| {
        let left = TimeLeft::of(life);
        let expires = json!({ "expiresAfterMs": life.as_millis() as u64 });
        let name = format!("shop-{}", life.as_millis());
        let token = service.make_token(&name, "server", expires).await;
        let request = service.client.post(service.url("/v1/watch"));
        let answer = request.bearer_auth(&token.secret).body("{}").send().await.unwrap();
        left.judge(|| assert_eq!(answer.status(), 200))?;
        let mut stream = Watcher::of(answer);
        stream.next().await;
        assert_eq!(stream.next_state().await.data["reason"], "expired");
        assert!(stream.maybe_next().await.is_none());
        Some(())
    })
    .await;
}

#[tokio::test]
async fn a_heartbeat_carries_the_tag_its_client_must_hold() {
    let limits = StreamLimits { heartbeat: Duration::from_millis(300), ..StreamLimits::default() };
    let service = Service::start_streaming(
        &[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 10% }"))],
        limits,
    )
    .await;
    let mut stream = Watcher::of_user(&service, "chat", "u-1").await;
    let mut held = stream.next().await.data["etag"].clone();
    for _ in 0..3 {
        let event = stream.next().await;
        assert_eq!(
            (event.kind(), event.id.as_deref(), &event.data["etag"]),
            ("heartbeat", Some("1"), &held)
        );
    }
    set(&service, "chat", "100%").await;
    let changed = stream.next_state().await;
    assert_ne!(changed.data["etag"], held);
    held = changed.data["etag"].clone();
    let event = stream.next().await;
    assert_eq!(
        (event.kind(), event.id.as_deref(), &event.data["etag"]),
        ("heartbeat", Some("2"), &held)
    );
}

#[tokio::test]
async fn streams_end_with_a_goodbye() {
    let limits = StreamLimits { max_age: Duration::from_millis(500), ..StreamLimits::default() };
    let mut aged = Service::start_streaming(&[("chat.yaml", &flag("chat", ""))], limits).await;
    let mut old = Watcher::of_user(&aged, "chat", "u-1").await;
    old.next().await;
    let goodbye = old.next_state().await;
    assert_eq!((goodbye.kind(), goodbye.data["reason"].as_str()), ("goodbye", Some("age")));
    assert_eq!(
        (goodbye.retry, goodbye.data["afterMs"].is_u64()),
        (goodbye.data["afterMs"].as_u64(), true)
    );
    assert!(old.maybe_next().await.is_none());
    aged.stop().await;

    let mut service = service().await;
    let mut streams = Vec::new();
    for path in ["/v1/strategy/chat/watch", "/v1/watch"] {
        streams.push(Watcher::open(&service, path, "{}").await);
    }
    for stream in &mut streams {
        stream.next().await;
    }
    service.stop().await;
    for stream in &mut streams {
        let goodbye = stream.next_state().await;
        assert_eq!(
            (goodbye.kind(), goodbye.data["reason"].as_str()),
            ("goodbye", Some("stopping"))
        );
        assert!(stream.maybe_next().await.is_none());
    }
}

#[tokio::test]
async fn streams_are_refused_where_questions_are_not() {
    let limits = StreamLimits { streams: 2, ..StreamLimits::default() };
    let service = Service::start_streaming(&[("chat.yaml", &flag("chat", ""))], limits).await;
    let first = Watcher::of_user(&service, "chat", "u-1").await;
    let _second = Watcher::of_user(&service, "chat", "u-2").await;
    let refused = service.post("/v1/strategy/chat/watch", "{}").await;
    assert_eq!(refused.status(), 503);
    assert!(
        (1..=60).contains(&refused.headers()["retry-after"].to_str().unwrap().parse().unwrap())
    );
    assert_eq!(refused.json::<Json>().await.unwrap()["code"], "too-many-streams");
    assert_eq!(service.ask("chat", "u-3").await["strategy"], "polling");
    drop(first);
    wait_until("room for the next", async || {
        service.post("/v1/strategy/chat/watch", "{}").await.status() == 200
    })
    .await;
}

/// Asks for a stream on a raw socket, with a small receive buffer.
async fn raw(service: &Service, flag: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(service.app.address()).await.unwrap();
    let request = format!(
        "POST /v1/strategy/{flag}/watch HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_without_cost_to_others() {
    let limits = Limits { write: Duration::from_millis(400), ..Limits::default() };
    let long: String = format!("transports: {{ polling: {{ url: \"/{}\" }} }}", "x".repeat(1_900));
    let files =
        [("chat.yaml", &*flag("chat", &format!("rollout: {{ realtime-v2: 100% }}\n{long}")))];
    let service = Service::start_limited(&files, limits).await;
    let mut stuck = raw(&service, "chat").await;
    let mut reader = Watcher::of_user(&service, "chat", "u-1").await;
    wait_until("both streams", async || streams(&service).await == 2).await;
    reader.next().await;
    let mut flips = 0;
    while streams(&service).await == 2 {
        set(&service, "chat", if flips % 2 == 0 { "0%" } else { "100%" }).await;
        flips += 1;
        assert_eq!(
            reader.next_state().await.strategy(),
            if flips % 2 == 1 { "polling" } else { "realtime-v2" }
        );
        assert!(flips < 2_000, "never cut");
    }
    // What was sent is there; then the stream ends.
    let mut rest = Vec::new();
    let _ = stuck.read_to_end(&mut rest).await;
    assert!(rest.len() < 256 * 1024, "{} bytes were kept for it", rest.len());
}

async fn streams(service: &Service) -> u64 {
    service.admin("/v1/status").await.json::<Json>().await.unwrap()["streams"]["open"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_stream_ends_when_its_client_leaves_or_sends_data() {
    let service = service().await;
    let gone = raw(&service, "chat").await;
    let mut talks = raw(&service, "chat").await;
    wait_until("both streams", async || streams(&service).await == 2).await;
    drop(gone);
    wait_until("one stream", async || streams(&service).await == 1).await;
    let _ = talks.write_all(&vec![b'x'; 80 * 1024]).await;
    wait_until("no stream", async || streams(&service).await == 0).await;
}

/// Two requests in one packet: the first is answered whole before the second takes the connection
/// over.
#[tokio::test]
async fn a_pipelined_stream_begins_after_the_response_before_it() {
    let service = service().await;
    let mut socket = TcpStream::connect(service.app.address()).await.unwrap();
    let ask = "POST /v1/strategy/chat HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let watch = "POST /v1/strategy/chat/watch HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    socket.write_all(format!("{ask}{watch}").as_bytes()).await.unwrap();
    let mut read = Vec::new();
    wait_until("both answers", async || {
        socket.read_buf(&mut read).await.unwrap();
        String::from_utf8_lossy(&read).contains("\"ackId\"")
    })
    .await;
    let read = String::from_utf8(read).unwrap();
    let (answer, stream) =
        read.split_once("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream").expect("two heads");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with('}'), "{answer}");
    assert!(stream.contains("\r\n\r\nretry: ") && stream.contains("connection: close"), "{stream}");
}

#[tokio::test]
async fn a_stream_before_the_first_snapshot_gets_cold_start_and_then_the_state() {
    let service = Service::start_without_folder().await;
    let mut known = Watcher::of_user(&service, "chat", "u-1").await;
    let mut unknown = Watcher::of_user(&service, "nothing", "u-1").await;
    for stream in [&mut known, &mut unknown] {
        let first = stream.next().await;
        assert_eq!(
            (first.strategy(), first.data["document"]["rule"].as_str()),
            ("polling", Some("cold-start"))
        );
    }
    assert_eq!(service.post("/v1/strategy/NOT-A-KEY/watch", "{}").await.status(), 404);
    std::fs::create_dir_all(&service.flags).unwrap();
    std::fs::write(service.flags.join("chat.yaml"), flag("chat", "rollout: { realtime-v2: 100% }"))
        .unwrap();
    assert_eq!(known.next_state().await.strategy(), "realtime-v2");
    drop(unknown);
    assert_eq!(
        service.post("/v1/strategy/nothing/watch", "{}").await.status(),
        404,
        "now it is known that there is none"
    );
}

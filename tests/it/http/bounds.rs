//! What clients make the server hold is bounded in bytes: responses they do not take, questions
//! that do not end. Over a bound the client that has been silent for longest is cut, never an
//! honest one.

use std::io;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use turnout::auth::{Algorithm, AnonymousAccess};
use turnout::http::Limits;

use crate::support::guarded::ProtectedEndpoint;
use crate::support::issuer::{Issuer, claims, with};
use crate::support::raw::{GET, Raw, ask};
use crate::support::{PATIENCE, Service, flag, wait_until};

/// More flags than are evaluated in a row.
const FLAGS: usize = 300;
/// So many that a response for all of them is more than the system buffers for a client that reads
/// nothing.
const MANY_FLAGS: usize = 800;
/// A client that has taken nothing for longer than this is the first to leave.
const TAKES_NOTHING: Duration = Duration::from_millis(1_050);
/// No client is cut for taking nothing in the time a test takes.
const NEVER: Duration = Duration::from_secs(3_600);

fn files(count: usize) -> Vec<(String, String)> {
    let text = |key: &str| flag(key, "rollout: { realtime-v2: 50% }");
    (0..count)
        .map(|number| format!("f{number:04}"))
        .map(|key| (format!("{key}.yaml"), text(&key)))
        .collect()
}

async fn service(flags: usize, limits: Limits) -> Service {
    let files = files(flags);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    Service::start_limited(&files, limits).await
}

/// How often a bound left no room, as operators see it.
async fn reached(service: &Service, bound: &str) -> u64 {
    row(service, &format!("turnout_bound_reached_total{{bound=\"{bound}\"}} ")).await
}

/// How many bytes are held against a bound.
async fn held(service: &Service, bound: &str) -> u64 {
    row(service, &format!("turnout_held_bytes{{bound=\"{bound}\"}} ")).await
}

async fn row(service: &Service, start: &str) -> u64 {
    let text = service.admin("/metrics").await.text().await.unwrap();
    let row = text.lines().find_map(|line| line.strip_prefix(start));
    row.unwrap_or_else(|| panic!("no row {start}in {text}")).parse().unwrap()
}

/// A client with a small receive buffer.
async fn connect(service: &Service) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.connect(service.app.address()).await.unwrap()
}

fn all_of(user: &str) -> String {
    let body = json!({ "targetingKey": user }).to_string();
    format!("POST /v1/strategy HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        stream.writable().await.unwrap();
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[tokio::test]
async fn the_connection_that_takes_nothing_leaves_first() {
    let service = service(1, Limits { connections: 3, write: NEVER, ..Limits::default() }).await;
    let (mut first, mut second) = (Raw::connect(&service).await, Raw::connect(&service).await);
    assert!(first.answers().await && second.answers().await);
    let _stuck = Raw::that_never_reads(&service).await;
    sleep(TAKES_NOTHING).await;
    let mut newcomer = Raw::connect(&service).await;
    assert!(newcomer.answers().await);
    assert!(first.answers().await && second.answers().await, "who asks nothing stays");
    assert_eq!(service.app.connections(), 3);
}

#[tokio::test]
async fn connections_of_clients_that_never_read_are_freed_within_seconds() {
    let service = service(1, Limits { connections: 4, write: NEVER, ..Limits::default() }).await;
    for _ in 0..3 {
        let mut stuck = Vec::new();
        for _ in 0..4 {
            stuck.push(Raw::that_never_reads(&service).await);
        }
        for _ in 0..4 {
            assert!(Raw::connect(&service).await.answers().await);
        }
    }
}

#[tokio::test]
async fn no_response_is_begun_before_earlier_ones_are_taken() {
    let service = service(1, Limits { write: NEVER, ..Limits::default() }).await;
    let stream = connect(&service).await;
    // Responses without a body: only their heads show that they are not taken.
    let requests =
        "GET /openapi.json HTTP/1.1\r\nhost: t\r\nif-none-match: *\r\n\r\n".repeat(1_000);
    let (most, mut sent) = (64 * 1024 * 1024, 0);
    while sent < most && timeout(Duration::from_secs(2), stream.writable()).await.is_ok() {
        match stream.try_write(requests.as_bytes()) {
            Ok(written) => sent += written,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    assert!(sent < most, "the server goes on reading though none of its answers is taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_responses_have_a_budget() {
    let most = 1024 * 1024;
    let limits =
        Limits { write: NEVER, unread: most, unread_of_strangers: most / 2, ..Limits::default() };
    let service = service(MANY_FLAGS, limits).await;
    let mut stuck = Vec::new();
    for number in 0..100 {
        let stream = connect(&service).await;
        send(&stream, all_of(&format!("u-{number}")).as_bytes()).await;
        stuck.push(stream);
    }
    wait_until("the budget is reached", async || reached(&service, "unread-answers").await > 0)
        .await;
    assert!(
        held(&service, "unread-answers").await <= most as u64 / 2,
        "strangers have their share, and no more"
    );
    // A client that reads gets the whole response.
    for user in ["u-1", "u-2", "u-3"] {
        let answer: Json = service
            .post("/v1/strategy", json!({ "targetingKey": user }).to_string())
            .await
            .json()
            .await
            .unwrap();
        assert_eq!(answer["flags"].as_array().unwrap().len(), MANY_FLAGS);
    }
    // The first to be cut was the first that took nothing.
    let mut first = Vec::new();
    let end = timeout(PATIENCE, async {
        loop {
            stuck[0].readable().await.unwrap();
            let mut piece = [0; 64 * 1024];
            match stuck[0].try_read(&mut piece) {
                Ok(0) => return,
                Ok(read) => first.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    });
    end.await.expect("the first is hung up on");
    assert!(!first.ends_with(b"}]}"), "it was cut");
    drop(stuck);
    wait_until("all is given back", async || held(&service, "unread-answers").await == 0).await;
}

#[tokio::test]
async fn the_response_for_all_flags_consists_of_each_flags_document() {
    let service = service(FLAGS, Limits::default()).await;
    let body = json!({ "targetingKey": "u-1" }).to_string();
    let answer = service.post("/v1/strategy", body.clone()).await;
    let (tag, length) =
        (answer.headers()["etag"].clone(), answer.headers()["content-length"].clone());
    let text = answer.text().await.unwrap();
    assert_eq!(length, text.len().to_string().as_str());
    let mut expected = Vec::new();
    for number in 0..FLAGS {
        expected.push(
            service
                .post(&format!("/v1/strategy/f{number:04}"), body.clone())
                .await
                .text()
                .await
                .unwrap(),
        );
    }
    assert_eq!(text, format!("{{\"flags\":[{}]}}", expected.join(",")));

    let again = async |tag: &str| {
        let url = service.url("/v1/strategy");
        service
            .client
            .post(url)
            .header("if-none-match", tag)
            .body(body.clone())
            .send()
            .await
            .unwrap()
    };
    assert_eq!(again(tag.to_str().unwrap()).await.status(), 304);
    service.order("/v1/flags/f0007/stop", json!({})).await;
    let other = again(tag.to_str().unwrap()).await;
    assert_eq!(other.status(), 200);
    assert_ne!(other.headers()["etag"], tag);
    service.order("/v1/flags/f0007/resume", json!({ "reason": "test" })).await;
    assert_eq!(
        again(tag.to_str().unwrap()).await.status(),
        304,
        "the same documents have the same tag"
    );

    let ofrep = async |tag: Option<&str>| {
        let request = service.client.post(service.url("/ofrep/v1/evaluate/flags"));
        let request =
            tag.into_iter().fold(request, |request, tag| request.header("if-none-match", tag));
        request
            .body(json!({ "context": { "targetingKey": "u-1" } }).to_string())
            .send()
            .await
            .unwrap()
    };
    let first = ofrep(None).await;
    let ofrep_tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_ne!(ofrep_tag, tag.to_str().unwrap());
    assert_eq!(first.json::<Json>().await.unwrap()["flags"].as_array().unwrap().len(), FLAGS);
    assert_eq!(ofrep(Some(&ofrep_tag)).await.status(), 304);
}

/// Begins a body of 60,000 bytes and does not end it.
async fn begin(service: &Service, more: &str) -> Raw {
    let mut raw = Raw::connect(service).await;
    raw.send(ask(&format!("content-length: 64000\r\n{more}")).replace("chat", "f0000").as_bytes())
        .await;
    raw.send(format!("{{\"targetingKey\":\"{}", "u".repeat(60_000)).as_bytes()).await;
    raw
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unending_bodies_have_a_budget() {
    let service = service(1, Limits { body: NEVER, ..Limits::default() }).await;
    let mut strangers = Vec::new();
    for _ in 0..300 {
        strangers.push(begin(&service, "").await);
    }
    wait_until("the budget is reached", async || reached(&service, "arriving-questions").await > 0)
        .await;
    assert_eq!(
        strangers[0].answer().await.as_deref(),
        Some("408 timeout"),
        "the first that began is cut, and hears why"
    );
    assert!(held(&service, "arriving-questions").await <= 32 * 1024 * 1024);
    // A client that sends its question at once never meets the bound.
    assert_eq!(service.ask("f0000", "u-1").await["flag"], "f0000");
    drop(strangers);
    wait_until("all is given back", async || held(&service, "arriving-questions").await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unending_long_heads_have_a_budget() {
    let service = service(1, Limits { header: NEVER, ..Limits::default() }).await;
    let head = format!("GET /healthz HTTP/1.1\r\nx-long: {}", "b".repeat(5_000));
    let mut heads = Vec::new();
    for _ in 0..2_200 {
        let mut raw = Raw::connect(&service).await;
        raw.send(head.as_bytes()).await;
        heads.push(raw);
    }
    wait_until("the budget is reached", async || reached(&service, "long-heads").await > 0).await;
    assert!(heads[0].is_closed().await, "the first that began is hung up on");
    assert!(held(&service, "long-heads").await <= 32 * 1024 * 1024);
    assert!(Raw::connect(&service).await.answers().await);
    let newest = heads.last_mut().unwrap();
    newest.send(b"\r\nhost: t\r\n\r\n").await;
    assert_eq!(newest.answer().await.as_deref(), Some("200"), "the newest goes on");
    newest.send(GET.as_bytes()).await;
    assert_eq!(newest.answer().await.as_deref(), Some("200"));
}

#[tokio::test]
async fn remembered_tokens_of_one_user_are_bounded() {
    let issuer = Issuer::new(Algorithm::Es256, "key");
    let guarded =
        ProtectedEndpoint::start(&issuer.jwks(), Algorithm::Es256, AnonymousAccess::Deny).await;
    let ask = async |token: &str| {
        let url = guarded.service.url("/v1/strategy/a");
        guarded.service.client.get(url).bearer_auth(token).send().await.unwrap().status()
    };
    let token =
        |number: usize| issuer.sign(&issuer.header(), &with(&claims("u-1"), "jti", json!(number)));
    let first = token(0);
    for number in 0..100 {
        assert_eq!(ask(&token(number)).await, 200);
    }
    assert_eq!(
        reached(&guarded.service, "remembered-tokens").await,
        100 - 64,
        "a user has 64 places"
    );
    assert!((1..512 * 1024).contains(&held(&guarded.service, "remembered-tokens").await));
    assert_eq!(ask(&first).await, 200, "one that was forgotten is checked anew");
}

//! Questions, commands and streams through the proxies, tracers and half-closed connections of real
//! deployments.

use std::time::Duration;

use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use turnout::config::{AuthArgs, AuthConfig};
use turnout::http::StreamLimits;

use crate::support::raw::Raw;
use crate::support::watcher::Watcher;
use crate::support::{PATIENCE, Service, flag, wait_until};

const QUESTION: &str = r#"{"targetingKey":"u-1"}"#;

async fn service() -> Service {
    Service::start(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 100% }"))]).await
}

fn post(path: &str, more: &str, body: &str) -> [String; 2] {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{more}content-length: {}\r\n\r\n",
        body.len()
    );
    [head, body.to_owned()]
}

/// Sends pieces a moment apart, closes the write side, and reads until the other side closes too.
async fn half_closed(address: std::net::SocketAddr, pieces: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 {
            sleep(Duration::from_millis(10)).await;
        }
        stream.write_all(piece.as_bytes()).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .expect("neither an answer nor an end")
        .unwrap();
    answer
}

#[tokio::test]
async fn a_half_closed_client_gets_its_response() {
    let service = service().await;
    let credential = format!("authorization: Bearer {}\r\n", service.token());
    let [head, body] = post("/v1/strategy/chat", "", QUESTION);
    let (whole, twice) = (format!("{head}{body}"), format!("{head}{body}{head}{body}"));
    let [stop, nothing] = post("/v1/flags/chat/stop", &credential, "{}");
    let stop_at_once = format!("{stop}{nothing}");
    let (public, admin) = (service.app.address(), service.app.admin_address());
    for _ in 0..10 {
        for (address, pieces, answers) in [
            (public, &[&*whole][..], 1),
            (public, &[&head, &body], 1),
            (public, &[&head, &body[..5], &body[5..]], 1),
            (public, &[&twice], 2),
            (public, &["GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"], 1),
            (admin, &[&stop_at_once], 1),
            (admin, &[&stop, &nothing], 1),
        ] {
            let heard = half_closed(address, pieces).await;
            assert_eq!(
                heard.matches("HTTP/1.1 200 OK\r\n").count(),
                answers,
                "{pieces:?}: {heard}"
            );
        }
    }

    // A call that takes its time: another program writes to the database, so the stop is live and
    // its commit is waited for.
    let mut other = SqliteConnectOptions::new()
        .filename(service.data.join("turnout.db"))
        .connect()
        .await
        .unwrap();
    service.order("/v1/flags/chat/resume", json!({ "reason": "another stop" })).await;
    query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let heard = half_closed(admin, &[&stop, &nothing]).await;
    assert!(heard.starts_with("HTTP/1.1 202 "), "{heard}");
    assert_eq!(service.strategy("chat", "u-1").await, "polling");
}

#[tokio::test]
async fn half_a_request_followed_by_eof_never_succeeds() {
    let service = service().await;
    let [head, body] = post("/v1/strategy/chat", "", QUESTION);
    for pieces in [&["GET /healthz HT"][..], &[&head], &[&head, &body[..5]]] {
        let heard = half_closed(service.app.address(), pieces).await;
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 400 "), "{pieces:?}: {heard}");
    }
}

async fn open_streams(service: &Service) -> u64 {
    let status: Json = service.admin("/v1/status").await.json().await.unwrap();
    status["streams"]["open"].as_u64().unwrap()
}

#[tokio::test]
async fn a_stream_goes_on_for_a_half_closed_client_and_ends_for_one_that_left() {
    // No heartbeat comes that would find out who has left.
    let limits = StreamLimits { heartbeat: Duration::from_secs(3600), ..StreamLimits::default() };
    let chat = flag("chat", "rollout: { realtime-v2: 100% }");
    let service = Service::start_streaming(&[("chat.yaml", &chat)], limits).await;
    let events = "GET /ofrep/v1/events HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();
    let mut streams = Vec::new();
    for request in [
        post("/v1/strategy/chat/watch", "", QUESTION).concat(),
        post("/v1/watch", "", QUESTION).concat(),
        events,
    ] {
        let mut stream = TcpStream::connect(service.app.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        streams.push((stream, String::new()));
    }
    // Each stream gets its state, and the effect of a stop long after its client has closed its
    // write side.
    for (stream, heard) in &mut streams {
        read_until(stream, heard, "id: ").await;
    }
    sleep(Duration::from_millis(600)).await;
    assert_eq!(open_streams(&service).await, 3);
    let (_, stopped) = service.ordered("/v1/flags/chat/stop", json!({})).await;
    let position = format!("id: {}", stopped["revision"]);
    for (stream, heard) in &mut streams {
        read_until(stream, heard, &position[..position.len() - 1]).await;
    }
    // A client that has gone is noticed without an event to send.
    drop(streams);
    wait_until("the streams of clients that left to end", async || {
        open_streams(&service).await == 0
    })
    .await;
    // So is one that never closed its write side before it left.
    let mut stream = TcpStream::connect(service.app.address()).await.unwrap();
    stream.write_all(post("/v1/watch", "", QUESTION).concat().as_bytes()).await.unwrap();
    wait_until("a stream", async || open_streams(&service).await == 1).await;
    drop(stream);
    wait_until("its end", async || open_streams(&service).await == 0).await;
}

async fn read_until(stream: &mut TcpStream, heard: &mut String, wanted: &str) {
    let reading = async {
        while !heard.contains(wanted) {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).await.unwrap();
            assert!(read > 0, "the stream ended: {heard}");
            heard.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
    };
    timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("{wanted} never came"));
}

#[tokio::test]
async fn every_stream_forbids_proxies_to_transform_it() {
    let service = service().await;
    for (method, path) in [
        ("POST", "/v1/strategy/chat/watch"),
        ("POST", "/v1/watch"),
        ("GET", "/ofrep/v1/events"),
        ("HEAD", "/ofrep/v1/events"),
    ] {
        let response = service
            .client
            .request(method.parse().unwrap(), service.url(path))
            .body(QUESTION)
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream", "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store, no-transform", "{path}");
    }
}

#[tokio::test]
async fn a_request_must_name_exactly_one_host() {
    let service = service().await;
    // (the version, its lines, whether it is answered)
    let table = [
        ("1.1", "host: 127.0.0.1\r\n", true),
        ("1.1", "host: 127.0.0.1:7070\r\n", true),
        ("1.1", "host: [::1]:7070\r\n", true),
        ("1.0", "host: localhost\r\n", true),
        ("1.1", "", false),
        ("1.1", "host: 127.0.0.1\r\nhost: 127.0.0.1\r\n", false),
        ("1.1", "host: 127.0.0.1\r\nhost: evil.example\r\n", false),
        ("1.1", "host: localhost, evil.example\r\n", false),
        ("1.1", "host: localhost,evil.example\r\n", false),
        ("1.1", "host: http://localhost/\r\n", false),
        ("1.1", "host: user@localhost\r\n", false),
        ("1.0", "host: localhost\r\nhost: evil.example\r\n", false),
    ];
    for address in [service.app.address(), service.app.admin_address()] {
        for (version, lines, good) in table {
            for path in ["/healthz", "/v1/nowhere"] {
                let credential = format!("authorization: Bearer {}\r\n", service.token());
                let request = format!(
                    "GET {path} HTTP/{version}\r\n{lines}{credential}connection: close\r\n\r\n"
                );
                let heard = half_closed(address, &[&request]).await;
                let wanted =
                    if good { if path == "/healthz" { "200" } else { "404" } } else { "400" };
                assert_eq!(heard.split(' ').nth(1), Some(wanted), "{address} {request}: {heard}");
                assert!(good || heard.contains(r#""code":"bad-host""#), "{heard}");
            }
        }
    }
    // A proxy that speaks HTTP/1.0 may name no host: the public listener does not care by which
    // name it is reached.
    let heard = half_closed(service.app.address(), &["GET /healthz HTTP/1.0\r\n\r\n"]).await;
    assert!(heard.contains(" 200 OK"), "{heard}");
    // OFREP's calls are refused in OFREP's shape.
    let heard =
        half_closed(service.app.address(), &["POST /ofrep/v1/evaluate/flags HTTP/1.1\r\n\r\n"])
            .await;
    assert!(heard.contains(" 400 ") && heard.contains(r#""errorCode":"GENERAL""#), "{heard}");
    // The connection goes on after a refusal.
    let mut raw = Raw::connect(&service).await;
    raw.send(b"GET /healthz HTTP/1.1\r\n\r\n").await;
    assert_eq!(raw.answer().await.as_deref(), Some("400 bad-host"));
    assert!(raw.answers().await);
}

#[tokio::test]
async fn a_doubled_slash_is_named_in_the_error() {
    let service = service().await;
    for (base, paths) in [
        (
            service.url(""),
            &[
                "//v1/strategy/chat",
                "/v1/strategy//chat",
                "/v1/strategy/chat//watch",
                "//healthz",
                "//",
            ][..],
        ),
        (service.admin_url(""), &["//v1/status", "/v1//status", "//healthz"]),
    ] {
        for path in paths {
            let asked = service
                .client
                .post(format!("{base}{path}"))
                .bearer_auth(service.token())
                .body(QUESTION);
            let response = asked.send().await.unwrap();
            assert_eq!(response.status(), 404, "{path}");
            let problem: Json = response.json().await.unwrap();
            assert_eq!(problem["code"], "no-such-route");
            assert!(
                problem["detail"].as_str().unwrap().contains("without a slash at its end"),
                "{path}: {problem}"
            );
        }
    }
    let failed: Json = service.post("//ofrep/v1/evaluate/flags", "{}").await.json().await.unwrap();
    assert!(failed.to_string().contains("`//`"), "{failed}");
    let nowhere: Json = service.post("/nowhere", "{}").await.json().await.unwrap();
    assert!(!nowhere.to_string().contains("`//`"), "{nowhere}");
}

#[tokio::test]
async fn a_listed_origin_may_send_tracing_headers() {
    let settings =
        AuthArgs { cors_origins: "https://app.example.com".to_owned(), ..AuthArgs::default() };
    let access: AuthConfig = settings.check(None).unwrap();
    let service = Service::start_guarded(&[("chat.yaml", &flag("chat", ""))], access).await;
    let many: Vec<String> = (0..200).map(|number| format!("x-{number}")).collect();
    let long = format!("x-{}", "a".repeat(3_000));
    // (the headers asked for, those allowed, those not)
    for (asked, allowed, not) in [
        (
            "content-type,traceparent,tracestate,baggage",
            &["content-type", "traceparent", "tracestate", "baggage"][..],
            &[][..],
        ),
        (
            "sentry-trace, X-Request-Id,x-datadog-trace-id",
            &["sentry-trace", "x-request-id", "x-datadog-trace-id"],
            &[],
        ),
        ("cache-control , x-requested-with,,", &["cache-control", "x-requested-with"], &[]),
        ("x-good,b ad,x:y,\"q\"", &["x-good"], &["b ad", "x:y", "\"q\""]),
        (&many.join(","), &["x-0", "x-63"], &["x-64", "x-199"]),
        (&format!("x-before,{long}"), &["x-before"], &[&*long]),
        ("", &["authorization"], &[]),
    ] {
        let preflight =
            service.client.request("OPTIONS".parse().unwrap(), service.url("/v1/strategy/chat"));
        let preflight = preflight
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "POST");
        let answer =
            preflight.header("access-control-request-headers", asked).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{asked}");
        let header = |name: &str| {
            answer
                .headers()
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap())
                .collect::<Vec<_>>()
        };
        let may = header("access-control-allow-headers").join(", ");
        let may: Vec<&str> = may.split(", ").collect();
        for name in ["content-type", "if-none-match", "authorization", "x-api-key", "last-event-id"]
            .iter()
            .chain(allowed)
        {
            assert_eq!(may.iter().filter(|one| one == &name).count(), 1, "{asked}: {may:?}");
        }
        assert!(not.iter().all(|name| !may.contains(name)), "{asked}: {may:?}");
        assert!(header("vary").join(", ").contains("access-control-request-headers"));
        assert!(
            header("access-control-allow-credentials").is_empty(),
            "nothing here goes by cookies"
        );
    }
    let unlisted =
        service.client.request("OPTIONS".parse().unwrap(), service.url("/v1/strategy/chat"));
    let unlisted = unlisted
        .header("origin", "https://evil.example.com")
        .header("access-control-request-method", "POST");
    let answer =
        unlisted.header("access-control-request-headers", "traceparent").send().await.unwrap();
    assert!(
        answer.status() == 403 && !answer.headers().contains_key("access-control-allow-headers")
    );
}

/// Every text of a response that reads like an address.
fn addresses(json: &Json, into: &mut Vec<String>) {
    match json {
        Json::String(text) if text.contains("/v1/") || text.starts_with('/') => {
            into.push(text.clone());
        }
        Json::Array(items) => items.iter().for_each(|item| addresses(item, into)),
        Json::Object(members) => members.values().for_each(|member| addresses(member, into)),
        _ => {}
    }
}

const WITH_ADDRESSES: &str = "rollout: { realtime-v2: 100% }\ntransports:\n  \
    polling: { url: \"/v1/feeds/chat/{stream}\" }\n  realtime-v2: { url: \"/v1/realtime/chat/{stream}\" }";

#[tokio::test]
async fn every_address_carries_the_public_path_and_leads_back() {
    let files = [
        ("chat.yaml", flag("chat", WITH_ADDRESSES)),
        (
            "own.yaml",
            flag(
                "own",
                "transports: { polling: { url: /api/feed }, realtime-v2: { url: \"https://app.example/v1/x\" } }",
            ),
        ),
    ];
    let files = [(files[0].0, &*files[0].1), (files[1].0, &*files[1].1)];
    let below = Service::start_below("/turnout", &files).await;
    let at_root = Service::start_below("/", &files).await;
    let cold = Service::start_below("/turnout", &[]).await;
    let ofrep = r#"{"context":{"targetingKey":"u-1"}}"#;
    // (the path, the body, how many of our addresses the response names)
    for (path, body, count) in [
        ("/v1/strategy/chat", QUESTION, 6),
        ("/v1/strategy/own", QUESTION, 3),
        ("/v1/strategy", QUESTION, 9),
        ("/ofrep/v1/evaluate/flags/chat", ofrep, 6),
        ("/ofrep/v1/evaluate/flags", ofrep, 10),
    ] {
        let mut bodies_sent = Vec::new();
        // Through a proxy that removes the public path, and through one that leaves it.
        for asked in [path.to_owned(), format!("/turnout{path}")] {
            let response = below.post(&asked, body).await;
            assert_eq!(response.status(), 200, "{asked}");
            bodies_sent.push(response.text().await.unwrap());
        }
        assert_eq!(bodies_sent[0], bodies_sent[1], "{path}");
        let mut named = Vec::new();
        addresses(&serde_json::from_str(&bodies_sent[0]).unwrap(), &mut named);
        let (ours, others): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|address| address.starts_with("/turnout/"));
        assert_eq!(ours.len(), count, "{path}: {ours:?}, {others:?}");
        assert!(
            others
                .iter()
                .all(|other| ["/api/feed", "https://app.example/v1/x"].contains(&&**other)),
            "{path}: {others:?}"
        );
        let plain = at_root.post(path, body).await.text().await.unwrap();
        assert_eq!(plain, bodies_sent[0].replace("/turnout/", "/"), "{path}");
    }
    let tag = async |service: &Service| {
        service.post("/v1/strategy/chat", QUESTION).await.headers()["etag"].clone()
    };
    assert_ne!(tag(&below).await, tag(&at_root).await, "another document has another tag");
    for service in [&below, &cold] {
        let document: Json =
            service.post("/turnout/v1/strategy/chat", QUESTION).await.json().await.unwrap();
        let watched = document["watch"]["url"].as_str().unwrap().to_owned();
        assert_eq!(watched, "/turnout/v1/strategy/chat/watch");
        let mut watcher = Watcher::open(service, &watched, QUESTION).await;
        let first = watcher.next().await;
        assert_eq!(first.data["document"], document, "streams tell the same");
        let held = json!({ "ackId": first.data["ackId"], "position": first.id }).to_string();
        let acknowledged = service.post(document["watch"]["ackUrl"].as_str().unwrap(), held).await;
        assert_eq!(acknowledged.status(), 204);
    }
    for (service, path) in [(&below, "/turnout"), (&at_root, "/")] {
        let contract = service.client.get(service.url("/openapi.json")).send().await.unwrap();
        assert_eq!(contract.json::<Json>().await.unwrap()["servers"][0]["url"], path);
    }
    // A path behind the public path that is not ours stays as it was asked for.
    for path in ["/turnout/nowhere", "/turnout", "/turnoutv1/strategy", "/turnout//v1/strategy"] {
        assert_eq!(below.post(path, QUESTION).await.status(), 404, "{path}");
    }
    assert_eq!(at_root.post("/turnout/v1/strategy/chat", QUESTION).await.status(), 404);
    // A public path that resembles one of our own hides none of ours.
    let odd = Service::start_below("/v1", &files).await;
    for path in ["/v1/strategy/chat", "/v1/v1/strategy/chat", "/v1/healthz"] {
        assert_ne!(odd.post(path, QUESTION).await.status(), 404, "{path}");
    }
}

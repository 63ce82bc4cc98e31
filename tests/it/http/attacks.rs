//! What hostile or broken clients send, byte by byte, and what exactly they get; and that it costs
//! the others nothing. `scripts/attack.sh` has the long form.

use std::io;
use std::time::Duration;

use crate::support::in_time::TimeLeft;
use crate::support::raw::{GET, Raw, ask};
use crate::support::{PATIENCE, Service, flag, wait_until};
use turnout::http::Limits;

/// Short for what these tests wait for; all other limits are the defaults, which no honest client
/// exceeds on a busy machine.
const SHORT: Duration = Duration::from_millis(200);

async fn service(limits: Limits) -> Service {
    Service::start_limited(&[("chat.yaml", &flag("chat", "rollout: { realtime-v2: 50% }"))], limits)
        .await
}

/// Sends bytes on a connection of their own and expects exactly these responses in order, then
/// `open` or `closed`.
async fn check(service: &Service, name: &str, bytes: impl AsRef<[u8]>, expected: &str) {
    let mut raw = Raw::connect(service).await;
    raw.asks_for_heads = bytes.as_ref().starts_with(b"HEAD");
    raw.send(bytes.as_ref()).await;
    let mut got = Vec::new();
    for _ in 1..expected.split(", ").count() {
        got.extend(raw.answer().await);
    }
    let end = if expected.ends_with("open") && raw.answers().await {
        "open".to_owned()
    } else {
        raw.answer().await.unwrap_or("closed".to_owned())
    };
    got.push(end);
    assert_eq!(got.join(", "), expected, "{name}");
}

#[tokio::test]
async fn every_malformed_request_has_its_exact_response() {
    let service = service(Limits::default()).await;
    let chunked = |body: &str| ask("transfer-encoding: chunked\r\n") + body;
    let sized = |length: &str| ask(&format!("content-length: {length}\r\n")) + "{}";
    let headers = |count: usize| {
        (2..count).map(|i| format!("x-{i}: 1\r\n")).collect::<String>() + "content-length: 0\r\n"
    };
    let long = |bytes: usize| format!("x-long: {}\r\n", "b".repeat(bytes));
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let get = |line: &str| format!("{line}\r\nhost: t\r\n\r\n");
    let big_chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let (te_cl, cl_te) = (
        "transfer-encoding: chunked\r\ncontent-length: 6\r\n",
        "content-length: 6\r\ntransfer-encoding: chunked\r\n",
    );
    let table: &[(&str, String, &str)] = &[
        // Where one request ends and the next begins. Disagreement about that is how requests are
        // smuggled.
        ("a body", sized("2"), "200, open"),
        ("a chunked body", chunked("2\r\n{}\r\n0\r\n\r\n"), "200, open"),
        (
            "both: chunks count, and nothing is read after them",
            ask(te_cl) + "2\r\n{}\r\n0\r\n\r\n" + GET,
            "200, closed",
        ),
        ("both, the other way round", ask(cl_te) + "0\r\n\r\n" + GET, "400 parse-error, closed"),
        ("two lengths", ask("content-length: 2\r\ncontent-length: 3\r\n") + "{}x", "400, closed"),
        (
            "the same length twice",
            ask("content-length: 2\r\ncontent-length: 2\r\n") + "{}",
            "200, open",
        ),
        ("a list of lengths", sized("2, 2"), "400, closed"),
        ("a signed length", sized("+2"), "400, closed"),
        ("a negative length", sized("-1"), "400, closed"),
        ("a hexadecimal length", sized("0x2"), "400, closed"),
        ("no length", sized(""), "400, closed"),
        ("a length past 64 bits", sized("18446744073709551616"), "400, closed"),
        ("the longest length of 64 bits", sized("18446744073709551615"), "431, closed"),
        ("a length over the bound", sized("65537"), "413 too-large, closed"),
        ("a length far over the bound", sized("1000000000"), "413 too-large, closed"),
        (
            "a coding that is not the last",
            ask("transfer-encoding: chunked, gzip\r\n") + "2\r\n{}\r\n0\r\n\r\n",
            "400, closed",
        ),
        ("no chunks", ask("transfer-encoding: gzip\r\n") + "{}", "400, closed"),
        (
            "nearly chunked",
            ask("transfer-encoding: xchunked\r\n") + "2\r\n{}\r\n0\r\n\r\n",
            "400, closed",
        ),
        (
            "two codings",
            ask("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n")
                + "2\r\n{}\r\n0\r\n\r\n",
            "400, closed",
        ),
        (
            "a blank before the colon",
            ask("transfer-encoding : chunked\r\n") + "2\r\n{}\r\n0\r\n\r\n",
            "400, closed",
        ),
        (
            "chunks in HTTP/1.0",
            ask("transfer-encoding: chunked\r\n").replace("1.1", "1.0") + "0\r\n\r\n",
            "400, closed",
        ),
        ("a chunk of no size", chunked("xyz\r\n{}\r\n0\r\n\r\n"), "400 parse-error, closed"),
        ("a chunk of negative size", chunked("-1\r\n{}\r\n0\r\n\r\n"), "400 parse-error, closed"),
        (
            "a chunk size with a prefix",
            chunked("0x2\r\n{}\r\n0\r\n\r\n"),
            "400 parse-error, closed",
        ),
        (
            "a chunk size past 64 bits",
            chunked("fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
            "400 parse-error, closed",
        ),
        (
            "a chunk longer than it says",
            chunked("2\r\n{}xx\r\n0\r\n\r\n"),
            "400 parse-error, closed",
        ),
        ("chunks with bare line feeds", chunked("2\n{}\n0\n\n"), "400 parse-error, closed"),
        ("a chunk with an extension", chunked("2;a=b\r\n{}\r\n0\r\n\r\n"), "200, open"),
        (
            "a chunk with a long extension",
            chunked(&format!("2;a={}\r\n", "b".repeat(40_000))),
            "400 parse-error, closed",
        ),
        ("trailers", chunked("2\r\n{}\r\n0\r\nx-a: b\r\n\r\n"), "200, open"),
        (
            "long trailers",
            chunked(&format!("2\r\n{{}}\r\n0\r\n{}\r\n", long(40_000))),
            "400 parse-error, closed",
        ),
        ("endless chunks", chunked(&big_chunk.repeat(100)), "413 too-large, closed"),
        (
            "endless chunks of one byte",
            chunked(&"1\r\n \r\n".repeat(70_000)),
            "413 too-large, closed",
        ),
        (
            "a body where none belongs",
            get("GET /healthz HTTP/1.1\r\ncontent-length: 34") + GET,
            "200, open",
        ),
        (
            "a body for an unknown address, not sent",
            ask("content-length: 2\r\n").replace("chat", "chat/x"),
            "404 no-such-route, closed",
        ),
        // Heads.
        ("100 headers", ask(&headers(100)), "400 parse-error, open"),
        ("101 headers", ask(&headers(101)), "431, closed"),
        (
            "a head of 16,000 bytes",
            ask(&(long(15_900) + "content-length: 0\r\n")),
            "400 parse-error, open",
        ),
        ("a head of 17,000 bytes", ask(&long(17_000)), "431, closed"),
        ("a head of 64 KiB", ask(&long(65_536)), "431, closed"),
        (
            "an address of 64 KiB",
            get(&format!("GET /{} HTTP/1.1", "a".repeat(65_536))),
            "431, closed",
        ),
        ("a folded header", ask("x-a: b\r\n c\r\n"), "400, closed"),
        ("a NUL in a name", ask("x\0a: b\r\n"), "400, closed"),
        ("a blank in a name", ask("x a: b\r\n"), "400, closed"),
        ("a NUL in a value", ask("x-a: \0b\r\n"), "400, closed"),
        ("a header without a name", ask(": b\r\n"), "400, closed"),
        ("a header without a colon", ask("abc\r\n"), "400, closed"),
        ("bare line feeds", GET.replace('\r', ""), "200, open"),
        ("bare carriage returns", GET.replace('\n', ""), "400, closed"),
        ("a NUL in the address", get("GET /\0 HTTP/1.1"), "400, closed"),
        ("up and out", get("GET /../../etc/passwd HTTP/1.1"), "404 no-such-route, open"),
        ("a whole URL as the address", get("GET http://t/healthz HTTP/1.1"), "200, open"),
        ("an odd method", get("G{T /healthz HTTP/1.1"), "400, closed"),
        ("an unknown method", get("BREW /healthz HTTP/1.1"), "405 no-such-method, open"),
        (
            "a long method",
            get(&format!("{} /healthz HTTP/1.1", "G".repeat(2000))),
            "405 no-such-method, open",
        ),
        // Versions and other protocols.
        ("requests sent ahead", GET.repeat(3), "200, 200, 200, open"),
        ("HTTP/0.9", "GET /healthz\r\n".to_owned(), "400, closed"),
        ("HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n".to_owned(), "200, closed"),
        ("HTTP/1.2", get("GET /healthz HTTP/1.2"), "400, closed"),
        ("HTTP/2, asked for in words", get("GET /healthz HTTP/2.0"), "400, closed"),
        (
            "HTTP/2, as if agreed",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned(),
            "closed",
        ),
        (
            "an upgrade to HTTP/2",
            get("GET /healthz HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c"),
            "200, open",
        ),
        ("TLS", "\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03 and so on".to_owned(), "400, closed"),
        ("zeros", "\0".repeat(64), "400, closed"),
        ("HEAD", get("HEAD /healthz HTTP/1.1"), "200, open"),
        ("OPTIONS", get("OPTIONS /healthz HTTP/1.1"), "405 no-such-method, open"),
        ("OPTIONS of everything", get("OPTIONS * HTTP/1.1"), "404 no-such-route, open"),
        ("TRACE", get("TRACE /healthz HTTP/1.1"), "405 no-such-method, open"),
        ("CONNECT", get("CONNECT t:80 HTTP/1.1"), "404 no-such-route, open"),
        // Bodies.
        (
            "10,000 levels of JSON",
            ask(&format!("content-length: {}\r\n", deep.len())) + &deep,
            "400 invalid-context, open",
        ),
        (
            "gzip, which no body here may be",
            ask("content-encoding: gzip\r\ncontent-length: 2\r\n") + "\x1f\x01",
            "400 parse-error, open",
        ),
        (
            "a body that waits to be asked for",
            ask("expect: 100-continue\r\ncontent-length: 2\r\n") + "{}",
            "100, 200, open",
        ),
        (
            "too large a body that waits",
            ask("expect: 100-continue\r\ncontent-length: 65537\r\n"),
            "413 too-large, closed",
        ),
        ("another expectation", ask("expect: 200-ok\r\ncontent-length: 2\r\n") + "{}", "200, open"),
    ];
    for (name, bytes, expected) in table {
        check(&service, name, bytes, expected).await;
    }
}

#[tokio::test]
async fn a_request_that_stops_arriving_ends_at_the_time_limit() {
    let service = service(Limits { header: SHORT, body: SHORT, ..Limits::default() }).await;
    let mut silent = Raw::connect(&service).await;
    let mut asked = Raw::connect(&service).await;
    assert!(asked.answers().await);
    for (name, bytes, expected) in [
        ("one byte", "P".to_owned(), "closed"),
        ("half a first line", "POST /v1/str".to_owned(), "closed"),
        ("half a head", ask("x-a: b"), "closed"),
        ("half a head, sent ahead", GET.to_owned() + "POST /v1/str", "200, closed"),
        ("empty lines", "\r\n\r\n".to_owned(), "closed"),
        (
            "half a head after a whole request",
            GET.to_owned() + &ask("content-length: 2\r\n"),
            "200, 408 timeout, closed",
        ),
        ("no body", ask("content-length: 2\r\n"), "408 timeout, closed"),
        ("half a body", ask("content-length: 20\r\n") + "{\"targeting", "408 timeout, closed"),
        (
            "a chunk that never comes",
            ask("transfer-encoding: chunked\r\n") + "ffffffffffffffff\r\n{}",
            "408 timeout, closed",
        ),
        (
            "no last chunk",
            ask("transfer-encoding: chunked\r\n") + "2\r\n{}\r\n",
            "408 timeout, closed",
        ),
        (
            "no body, although it was asked for",
            ask("expect: 100-continue\r\ncontent-length: 2\r\n"),
            "100, 408 timeout, closed",
        ),
        (
            "under OFREP",
            ask("content-length: 2\r\n").replace("/v1/strategy/", "/ofrep/v1/evaluate/flags/"),
            "408 GENERAL, closed",
        ),
    ] {
        check(&service, name, bytes, expected).await;
    }
    // Sending drop by drop is no better.
    for (start, drip, expected) in
        [(ask(""), "x", None), (ask("content-length: 60000\r\n"), " ", Some("408 timeout"))]
    {
        let mut raw = Raw::connect(&service).await;
        raw.send(
            start.strip_suffix(if expected.is_none() { "\r\n" } else { "" }).unwrap().as_bytes(),
        )
        .await;
        let answer = loop {
            raw.send(drip.as_bytes()).await;
            if let Ok(answer) = tokio::time::timeout(SHORT / 20, raw.answer()).await {
                break answer;
            }
        };
        assert_eq!(answer.as_deref(), expected);
    }
    // All the while, an idle connection is left alone: that is another limit.
    assert!(asked.answers().await && silent.answers().await);
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_the_time_limit() {
    let service = service(Limits { idle: SHORT, ..Limits::default() }).await;
    let (mut silent, mut asked) = (Raw::connect(&service).await, Raw::connect(&service).await);
    asked.send(GET.as_bytes()).await;
    assert_eq!(asked.answer().await.as_deref(), Some("200"));
    assert!(silent.is_closed().await && asked.is_closed().await);
    wait_until("no connection left", async || service.app.connections() == 0).await;
}

#[tokio::test]
async fn a_client_that_takes_no_response_is_closed_at_the_time_limit() {
    let service = service(Limits { write: SHORT, ..Limits::default() }).await;
    let stuck = Raw::that_never_reads(&service).await;
    wait_until("no connection left", async || service.app.connections() == 0).await;
    drop(stuck);
}

#[tokio::test]
async fn at_the_connection_limit_the_longest_idle_leaves_and_no_client_is_refused() {
    let service = service(Limits { connections: 3, ..Limits::default() }).await;
    let settle = || tokio::time::sleep(Duration::from_millis(5));
    let mut first = Raw::connect(&service).await;
    assert!(first.answers().await);
    settle().await;
    let mut second = Raw::connect(&service).await;
    assert!(second.answers().await);
    settle().await;
    let mut third = Raw::connect(&service).await;
    assert!(third.answers().await && first.answers().await);
    let mut fourth = Raw::connect(&service).await;
    assert!(fourth.answers().await);
    assert!(second.is_closed().await, "the second has been idle for longest");
    assert!(third.answers().await && first.answers().await && fourth.answers().await);
    assert_eq!(service.app.connections(), 3);

    // However many connect, each is answered.
    let mut many = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let mut raw = Raw::connect(&service).await;
        many.spawn(async move {
            assert!(raw.answers().await);
            raw
        });
    }
    assert_eq!(many.join_all().await.len(), 40);
    assert!(service.app.connections() <= 3);
}

#[tokio::test]
async fn a_connection_that_is_being_answered_is_not_closed_to_make_room() {
    let begun = std::time::Instant::now();
    while makes_room_beside_a_connection_that_is_being_answered().await.is_none() {
        assert!(begun.elapsed() < PATIENCE, "the machine is too busy to tell");
    }
}

/// `None` if the machine was too busy to tell: after a second this connection could be closed, as
/// it takes nothing.
async fn makes_room_beside_a_connection_that_is_being_answered() -> Option<()> {
    let service = service(Limits { connections: 2, ..Limits::default() }).await;
    let left = TimeLeft::of(Duration::from_millis(900));
    let mut answered = Raw::that_never_reads(&service).await;
    for _ in 0..5 {
        assert!(Raw::connect(&service).await.answers().await);
    }
    // Slow senders, on the other hand, are owed nothing.
    let mut slow = Raw::connect(&service).await;
    slow.send(ask("expect: 100-continue\r\ncontent-length: 20\r\n").as_bytes()).await;
    assert_eq!(slow.answer().await.as_deref(), Some("100"), "its head was read");
    assert!(Raw::connect(&service).await.answers().await);
    left.judge(|| ())?;
    assert!(slow.is_closed().await);
    assert_eq!(answered.answer().await.as_deref(), Some("200"), "its answers are still there");
    Some(())
}

#[tokio::test]
async fn pipelined_requests_are_answered_between_those_of_others() {
    let service = service(Limits::default()).await;
    let (mut many, mut one) = (Raw::connect(&service).await, Raw::connect(&service).await);
    assert!(many.answers().await && one.answers().await);
    // All of it has reached the server's socket before the server, on the same thread as this,
    // reads any.
    many.stream.try_write(GET.repeat(50).as_bytes()).unwrap();
    one.stream.try_write(GET.as_bytes()).unwrap();
    assert_eq!(one.answer().await.as_deref(), Some("200"));
    let mut answers = [0; 64 * 1024];
    let read = io::Read::read(&mut many.stream.into_std().unwrap(), &mut answers).unwrap_or(0);
    let before = String::from_utf8_lossy(&answers[..read]).matches("HTTP/1.1 200").count();
    assert!(before < 10, "{before} of the fifty went first");
}

//! The limit `scripts/bench.py` measures against: the least an axum server can do with the same
//! bodies. It parses the question and answers ready bytes of the same size, and knows nothing of
//! flags. Where feeds are polled it hashes the credential, and answers a page without events; where a
//! token is asked for it signs. As
//! `bare_axum bounded` it is what `scripts/attack.sh` measures against: the same with the
//! bounds that hyper and axum have ready. Nothing of it stands in the server itself.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a driver prints what it finds, and ends where it cannot go on"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::time::sleep;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    #[serde(borrow)]
    targeting_key: Option<&'a str>,
    #[serde(borrow, default)]
    attributes: HashMap<&'a str, serde_json::Value>,
}

/// A strategy document of the shipped flag.
const ANSWER: &[u8] = br#"{"flag":"build-events","strategy":"polling","reason":"SPLIT","rule":"rollout","validForMs":60000,"staleIfErrorMs":86400000,"enterSpreadMs":5000,"polling":{"url":"/v1/feeds/build-events/{stream}","startMs":4000,"minMs":3000,"maxMs":15000,"factor":1.5,"dedupeMs":2000,"limit":50}}"#;

async fn answer(body: Bytes) -> impl IntoResponse {
    let question: Option<Question> = serde_json::from_slice(&body).ok();
    let known = question.is_some_and(|question| {
        question.targeting_key.is_some() && question.attributes.len() < 256
    });
    let body = if known { Bytes::from_static(ANSWER) } else { Bytes::new() };
    ([(CONTENT_TYPE, "application/json")], body)
}

/// Head and claims of a token.
const TOKEN_BYTES: usize = 640;

/// A page without events.
const PAGE: &[u8] =
    br#"{"events":[],"cursor":"AbIxYm0rQ3k9AAAAAAAAAGSx0m0l4b7Zqg","hasMore":false}"#;

/// What a server cannot do without that knows a session again: the fingerprint of its token.
async fn poll(headers: HeaderMap) -> impl IntoResponse {
    let token = headers.get(AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
    let fingerprint = digest(&SHA256, token);
    let page = if fingerprint.as_ref() == [0; 32] { &[][..] } else { PAGE };
    ([(CONTENT_TYPE, "application/json")], Bytes::from_static(page))
}

/// The least that gives a token: the question is parsed, a text of a token's length is signed, and
/// the signature is answered with it.
async fn token(State(key): State<Arc<EcdsaKeyPair>>, body: Bytes) -> impl IntoResponse {
    let question: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let text = [question.map_or(b'0', |_| b'e'); TOKEN_BYTES];
    let signature = key.sign(&SystemRandom::new(), &text).expect("a signature");
    let body = [&text[..], signature.as_ref()].concat();
    ([(CONTENT_TYPE, "application/json")], Bytes::from(body))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("bare axum: serving on http://{}", listener.local_addr()?);
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let routes = Router::new()
        .route("/v1/strategy/{flag}", post(answer))
        .route("/v1/feeds/{flag}/{stream}", get(poll))
        .route("/v1/token", post(token))
        .with_state(Arc::new(key));
    match std::env::args().nth(1).as_deref() {
        Some("bounded") => bounded(listener, routes).await,
        _ => axum::serve(listener, routes).await,
    }
}

const HEAD_BYTES: usize = 16 * 1024;
const BODY_BYTES: usize = 64 * 1024;
/// hyper counts it from the last answer, so it closes idle connections too.
const HEAD_TIME: Duration = Duration::from_secs(5);

async fn bounded(listener: TcpListener, routes: Router) -> std::io::Result<()> {
    let routes = TowerToHyperService::new(routes.layer(DefaultBodyLimit::max(BODY_BYTES)));
    loop {
        // Without a descriptor left, the next one waits.
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES)
            .max_header_size(HEAD_BYTES);
        tokio::spawn(http.serve_connection(TokioIo::new(stream), routes.clone()));
    }
}

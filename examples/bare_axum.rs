//! The limit `scripts/bench` measures against: the least an axum server can do with the same bodies. It parses the question and
//! answers ready bytes of the same size, and knows nothing of flags.

use std::collections::HashMap;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use serde::Deserialize;

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
    let known = question.is_some_and(|question| question.targeting_key.is_some() && question.attributes.len() < 256);
    let body = if known { Bytes::from_static(ANSWER) } else { Bytes::new() };
    ([(CONTENT_TYPE, "application/json")], body)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("bare axum: serving on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/v1/strategy/{flag}", post(answer))).await
}

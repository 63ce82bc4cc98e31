//! The limit `scripts/bench.py streams` measures against: the least that axum can do for the same
//! streams. A watcher gets the newest message at once, and each one that is published after
//! it; a message is framed once, when it is published, and every stream gets those bytes. It knows
//! nothing of flags or users, and acknowledges nothing.
//!
//! `bare_streams [DOCUMENT]`: what stands in the place of the document, so that a message is as
//! long as the service's own.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a driver prints what it finds, and ends where it cannot go on"
)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::serve::ListenerExt;
use futures_util::stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// The document of the shipped flag.
const DOCUMENT: &str = r#"{"flag":"build-events","strategy":"polling","reason":"SPLIT","rule":"rollout","validForMs":60000,"staleIfErrorMs":86400000,"enterSpreadMs":5000,"polling":{"url":"/v1/feeds/build-events/{stream}","startMs":4000,"minMs":3000,"maxMs":15000,"factor":1.5,"dedupeMs":2000,"limit":50}}"#;

struct Station {
    document: String,
    newest: Mutex<(u64, Bytes)>,
    told: broadcast::Sender<Bytes>,
}

impl Station {
    fn frame(&self, number: u64) -> Bytes {
        let Station { document, .. } = self;
        let tag = format!(r#"\"{number:032x}\""#);
        format!("id: {number}\ndata: {{\"type\":\"strategy\",\"etag\":\"{tag}\",\"document\":{document}}}\n\n").into()
    }
}

async fn watch(State(station): State<Arc<Station>>, _question: Bytes) -> impl IntoResponse {
    let (first, told) = {
        let newest = station.newest.lock().unwrap_or_else(PoisonError::into_inner);
        (newest.1.clone(), station.told.subscribe())
    };
    let messages = stream::unfold((Some(first), told), |(first, mut told)| async {
        if let Some(first) = first {
            return Some((Ok::<_, Infallible>(first), (None, told)));
        }
        loop {
            match told.recv().await {
                Ok(message) => return Some((Ok(message), (None, told))),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    (
        [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")],
        Body::from_stream(messages),
    )
}

async fn publish(State(station): State<Arc<Station>>) -> String {
    let mut newest = station.newest.lock().unwrap_or_else(PoisonError::into_inner);
    let number = newest.0 + 1;
    *newest = (number, station.frame(number));
    // A message without a watcher is not an error.
    let _ = station.told.send(newest.1.clone());
    number.to_string()
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let _ = rlimit::increase_nofile_limit(1 << 20);
    let document = std::env::args().nth(1).unwrap_or(DOCUMENT.to_owned());
    let station = Station { document, newest: Mutex::default(), told: broadcast::channel(64).0 };
    *station.newest.lock().unwrap_or_else(PoisonError::into_inner) = (1, station.frame(1));
    let routes = Router::new()
        .route("/v1/strategy/{flag}/watch", post(watch))
        .route("/publish", post(publish))
        .with_state(Arc::new(station));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("bare streams: serving on http://{}", listener.local_addr()?);
    // As the service does: a message waits for nothing.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    axum::serve(listener, routes).await
}

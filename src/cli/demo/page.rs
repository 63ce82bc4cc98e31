//! Serves the page of a demo: its files, which are part of the program, its setup, and sessions.
//! Only this machine is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::site::Site;

/// The files: their paths, types and texts. `page.js` is made of `clients/typescript/demo/`.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];
/// The largest body of a request: a number.
const MAX_BODY_BYTES: usize = 256;
/// How long to wait when the system accepts no connection.
const PAUSE: Duration = Duration::from_millis(100);

type Answer = Response<Full<Bytes>>;

pub async fn serve(listener: TcpListener, site: Arc<Site>) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let site = site.clone();
        open.spawn(async move {
            let service = service_fn(|request| answer(site.clone(), request));
            let mut server = http1::Builder::new();
            let _ = server
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(site: Arc<Site>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| site.is_host(host)) {
        return Ok(said(
            &site,
            StatusCode::FORBIDDEN,
            "text/plain",
            "the demo answers this machine alone\n",
        ));
    }
    let path = request.uri().path().to_owned();
    Ok(match (request.method(), &*path) {
        (&Method::GET, "/setup.json") => json_of(&site, StatusCode::OK, &site.setup()),
        (&Method::POST, "/session") => session(&site, request).await,
        (&Method::GET | &Method::HEAD, path) => {
            match FILES.iter().find(|(name, _, _)| *name == path) {
                Some((_, kind, text)) => said(&site, StatusCode::OK, kind, *text),
                None => said(&site, StatusCode::NOT_FOUND, "text/plain", "there is no such page\n"),
            }
        }
        _ => said(&site, StatusCode::METHOD_NOT_ALLOWED, "text/plain", "there is no such call\n"),
    })
}

/// Which of the page's clients asks for its session.
#[derive(Deserialize)]
struct AskedSession {
    client: u64,
}

/// `{"client": 7}` gets a session for that user. JSON alone is read: a page of another origin cannot
/// send it without being asked for, and is refused then.
async fn session(site: &Site, request: Request<Incoming>) -> Answer {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind != Some("application/json") {
        return said(
            site,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "text/plain",
            "send application/json\n",
        );
    }
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let session = match serde_json::from_slice(&body) {
        Ok(AskedSession { client }) => site.application.session(client).await,
        Err(_) => None,
    };
    match session {
        Some(session) => json_of(site, StatusCode::OK, &json!(session)),
        None => said(site, StatusCode::BAD_REQUEST, "text/plain", "there is no session for that\n"),
    }
}

fn json_of(site: &Site, status: StatusCode, body: &Json) -> Answer {
    said(site, status, "application/json", body.to_string())
}

fn said(site: &Site, status: StatusCode, kind: &str, body: impl Into<Bytes>) -> Answer {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind)
        .header(CACHE_CONTROL, "no-store")
        .header(REFERRER_POLICY, "no-referrer")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(CONTENT_SECURITY_POLICY, site.content_security_policy());
    response.body(Full::new(body.into())).unwrap_or_default()
}

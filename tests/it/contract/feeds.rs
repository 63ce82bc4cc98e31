//! Every answer that feeds promise on the public listener.

use std::fs;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turnout::auth::Source;
use turnout::config::{AuthConfig, Config};
use turnout::http::Limits;

use crate::feeds::full::{fill_disk, make_room};
use crate::support::contract::Contract;
use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY, sha256};
use crate::support::{Service, config, flag, wait_until};

const STREAM: &str = "/v1/feeds/{flag}/{stream}";
const STREAMS: &str = "/v1/feeds/{flag}";

fn events(ids: &[&str], data: Json) -> String {
    let event = |id: &&str| json!({ "id": id, "type": "t", "data": data });
    json!({ "events": ids.iter().map(event).collect::<Vec<_>>() }).to_string()
}

pub async fn see_every_answer(
    contract: &mut Contract,
    guarded: &ProtectedEndpoint,
    token: &str,
    bearer: &str,
) {
    let service = &guarded.service;
    let shop = [("authorization", bearer)];
    let user = [("authorization", token)];
    let other = [("authorization", token), ("if-none-match", "*")];
    let made = json!({ "readers": ["u-sub"], "events": [{ "id": "e-1", "type": "t", "data": 1 }] });
    for (body, target) in [
        (made.to_string(), "/v1/feeds/a/b-1"),
        (events(&["e-1"], json!(1)), "/v1/feeds/a/b-1"),
        (events(&["e-1"], json!(2)), "/v1/feeds/a/b-1"),
        (events(&["e-2"], json!("x".repeat(33_000))), "/v1/feeds/a/b-1"),
        ("{".to_owned(), "/v1/feeds/a/b-1"),
        (events(&["e-1"], json!(1)), "/v1/feeds/unknown/b-1"),
        (events(&["e-1"], json!(1)), "/v1/feeds/a/-x"),
        (json!({ "readers": "verified", "ended": true }).to_string(), "/v1/feeds/a/b-2"),
        (events(&["e-1"], json!(1)), "/v1/feeds/a/b-2"),
    ] {
        for headers in [&[][..], &user, &shop] {
            contract.check_as(service, Method::POST, STREAM, target, &body, headers).await;
        }
    }
    let page = contract.check_as(service, Method::GET, STREAM, "/v1/feeds/a/b-1", "", &user).await;
    let cursor = page["cursor"].as_str().unwrap().to_owned();
    for query in
        ["", "?limit=0", "?cursor=x", "?cursor=now", "?tail=1", &format!("?cursor={cursor}")]
    {
        for stream in ["b-1", "b-2", "b-9"] {
            let target = format!("/v1/feeds/a/{stream}{query}");
            for headers in [&[][..], &user, &other, &shop] {
                contract.check_as(service, Method::GET, STREAM, &target, "", headers).await;
            }
        }
    }
    contract.check_as(service, Method::GET, STREAM, "/v1/feeds/unknown/b-1", "", &shop).await;
    for target in ["/v1/feeds/a", "/v1/feeds/unknown", "/v1/feeds/a?after=.."] {
        for headers in [&[][..], &user, &shop] {
            contract.check_as(service, Method::GET, STREAMS, target, "", headers).await;
        }
    }
    for target in ["/v1/feeds/a/b-1", "/v1/feeds/a/b-1", "/v1/feeds/unknown/b-1"] {
        for headers in [&[][..], &user, &shop] {
            contract.check_as(service, Method::DELETE, STREAM, target, "", headers).await;
        }
    }
    contract
        .check_as(service, Method::POST, STREAM, "/v1/feeds/a/b-1", &made.to_string(), &shop)
        .await;
    let target = format!("/v1/feeds/a/b-1?cursor={cursor}");
    contract.check_as(service, Method::GET, STREAM, &target, "", &shop).await;
    while !contract.seen.contains(&("poll".to_owned(), "429".to_owned())) {
        contract.check_as(service, Method::GET, STREAM, &target, "", &user).await;
    }
    see_rare_answers(contract, &shop).await;
}

/// A small and hurried server: what is full, expired, late, or out of reach.
async fn see_rare_answers(contract: &mut Contract, shop: &[(&str, &str)]) {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("flags")).unwrap();
    let short = flag("a", "transports: { polling: { keep: 1 } }");
    fs::write(home.path().join("flags/a.yaml"), short).unwrap();
    let servers = home.path().join("servers");
    let (shops, publishes) = (sha256(SERVER_KEY), sha256("publishes"));
    fs::write(&servers, format!("shop {shops}\nbuilder {publishes} publish\n")).unwrap();
    let access = AuthConfig { server_keys: Some(Source::File(servers)), ..AuthConfig::default() };
    let limits = Limits { body: Duration::from_millis(50), ..Limits::default() };
    let events_max_bytes = 8 * 1024 * 1024;
    let settings = Config { access, limits, events_max_bytes, ..config(home.path()) };
    let service = Service::start_as(home, settings).await;
    let target = "/v1/feeds/a/b-1";
    let first = events(&["e-1", "e-2", "e-3"], json!(1));
    contract.check_as(&service, Method::POST, STREAM, target, &first, shop).await;
    let builder = [("authorization", "Bearer publishes")];
    contract.check_as(&service, Method::GET, STREAM, target, "", &builder).await;
    let page = contract.check_as(&service, Method::GET, STREAM, target, "", shop).await;
    let oldest = page["events"][0]["cursor"].as_str().unwrap().to_owned();
    let behind = format!("{target}?cursor={oldest}");
    wait_until("the oldest events expire", async || {
        let request = service.client.get(service.url(&behind)).bearer_auth(SERVER_KEY);
        request.send().await.unwrap().status() == 410
    })
    .await;
    contract.check_as(&service, Method::GET, STREAM, &behind, "", shop).await;
    for n in 0..500 {
        let body = events(&[&format!("f-{n}")], json!("x".repeat(32_000)));
        contract.check_as(&service, Method::POST, STREAM, "/v1/feeds/a/b-2", &body, shop).await;
        if contract.seen.contains(&("publish".to_owned(), "507".to_owned())) {
            break;
        }
    }
    fill_disk(&service).await;
    contract.check_as(&service, Method::DELETE, STREAM, target, "", shop).await;
    make_room(&service).await;
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {SERVER_KEY}\r\ncontent-length: 9\r\n\r\n{{"
    );
    let mut stream = tokio::net::TcpStream::connect(service.app.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    contract.seen.insert(("publish".to_owned(), "408".to_owned()));
    fs::rename(service.data.join("events.db"), service.data.join("aside")).unwrap();
    wait_until("the database is missed", async || !service.app.feeds().is_available()).await;
    for (method, template, target) in [
        (Method::GET, STREAM, target),
        (Method::POST, STREAM, target),
        (Method::DELETE, STREAM, target),
        (Method::GET, STREAMS, "/v1/feeds/a"),
    ] {
        contract.check_as(&service, method, template, target, &first, shop).await;
    }
}

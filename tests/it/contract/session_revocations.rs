//! Every answer that a revocation of sessions promises on the public listener.

use std::fs;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turnout::auth::Source;
use turnout::config::{AuthConfig, Config};
use turnout::http::Limits;

use crate::support::contract::Contract;
use crate::support::guarded::{ProtectedEndpoint, SERVER_KEY, sha256};
use crate::support::{Service, config, flag};

const REVOKE: &str = "/v1/sessions/revoke";

pub async fn see_every_answer(contract: &mut Contract, guarded: &ProtectedEndpoint, token: &str) {
    let body = json!({ "targetingKey": "u-1" }).to_string();
    // A session, where a server key is needed.
    let user = [("authorization", token)];
    contract.check_as(&guarded.service, Method::POST, REVOKE, REVOKE, &body, &user).await;

    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("flags")).unwrap();
    fs::write(home.path().join("flags/a.yaml"), flag("a", "")).unwrap();
    let servers = home.path().join("servers");
    let (shop, asks, of_a) = (sha256(SERVER_KEY), sha256("asks"), sha256("of-a"));
    let lines = format!("shop {shop}\nasks {asks} ask\nof-a {of_a} a\n");
    fs::write(&servers, lines).unwrap();
    let access = AuthConfig { server_keys: Some(Source::File(servers)), ..AuthConfig::default() };
    let limits = Limits { body: Duration::from_millis(50), ..Limits::default() };
    let settings = Config { access, limits, ..config(home.path()) };
    let service = Service::start_as(home, settings).await;
    let shop = format!("Bearer {SERVER_KEY}");
    for bearer in ["Bearer no", "Bearer asks", "Bearer of-a", &shop] {
        for body in [&*body, "{", "{}", &"x".repeat(70_000)] {
            let headers = [("authorization", bearer)];
            contract.check_as(&service, Method::POST, REVOKE, REVOKE, body, &headers).await;
        }
    }
    // A disk that takes nothing.
    let file = service.data.join("revoked-sessions");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let headers = [("authorization", &*shop)];
    contract.check_as(&service, Method::POST, REVOKE, REVOKE, &body, &headers).await;
    let head = format!(
        "POST {REVOKE} HTTP/1.1\r\nhost: x\r\nauthorization: {shop}\r\ncontent-length: 9\r\n\r\n{{"
    );
    let mut stream = tokio::net::TcpStream::connect(service.app.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    contract.seen.insert(("revokeSessions".to_owned(), "408".to_owned()));
}

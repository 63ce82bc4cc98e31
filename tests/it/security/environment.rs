//! What the environment names (proxies, CA certificates) is not used between a machine and itself.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::PATIENCE;
use crate::support::typed::{Server, output};

/// A server that answers everything with one text, and keeps the requests.
struct Listening {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Listening {
    fn start(address: &str, body: String) -> Option<Listening> {
        let listener = TcpListener::bind((address, 0)).ok()?;
        let (port, heads) =
            (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let kept = heads.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).unwrap_or_default();
                kept.lock().unwrap().push(String::from_utf8_lossy(&head[..read]).into_owned());
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        Some(Listening { port, heads })
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// An environment of proxies, without a single certificate.
fn hostile(command: &mut Command, proxy: &Listening) {
    let at = format!("http://127.0.0.1:{}", proxy.port);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"]
    {
        command.env(name, &at);
    }
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        command.env_remove(name);
    }
    command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
}

#[test]
fn keys_from_loopback_use_no_proxy_and_need_no_certificates() {
    let jwks = json!({ "keys": [{ "kty": "oct", "k": "a".repeat(43), "kid": "k" }] }).to_string();
    let proxy = Listening::start("127.0.0.1", jwks.clone()).unwrap();
    for (bound, host) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "127.0.0.2"),
        ("::1", "[::1]"),
    ] {
        let bound = if host == "127.0.0.2" { host } else { bound };
        // A machine may have no IPv6.
        let Some(issuer) = Listening::start(bound, jwks.clone()) else { continue };
        let keys = format!("http://{host}:{}/jwks", issuer.port);
        let more = [
            "--session-keys",
            &keys,
            "--session-algorithm",
            "HS256",
            "--session-issuer",
            "i",
            "--session-audience",
            "a",
        ];
        let _server = Server::start_as(&more, |command| hostile(command, &proxy));
        let began = Instant::now();
        while issuer.heads().is_empty() {
            let by_proxy = proxy.heads();
            assert!(
                by_proxy.is_empty() && began.elapsed() < PATIENCE,
                "{host}: its keys were not asked for; {by_proxy:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(proxy.heads(), Vec::<String>::new(), "{host}");
    }
}

#[test]
fn commands_to_loopback_use_no_proxy_and_need_no_certificates() {
    let server = Server::start();
    let proxy = Listening::start("127.0.0.1", "{}".to_owned()).unwrap();
    let verbs = [
        "status",
        "problems",
        "history",
        "explain chat --user u",
        "ask chat --user u",
        "publish chat b --type t",
        "streams",
        "set chat 5%",
        "stop chat",
    ];
    for host in ["127.0.0.1", "localhost"] {
        for verb in verbs {
            let mut command = server.command(verb);
            hostile(&mut command, &proxy);
            let elsewhere = |url: &str| url.replace("127.0.0.1", host);
            command
                .env("TURNOUT_SERVER", elsewhere(&server.admin))
                .env("TURNOUT_URL", elsewhere(&server.public));
            let (exit, stdout, stderr) = output(&mut command);
            assert_eq!(exit, 0, "{verb} at {host}: {stdout}{stderr}");
        }
    }
    assert_eq!(proxy.heads(), Vec::<String>::new());
}

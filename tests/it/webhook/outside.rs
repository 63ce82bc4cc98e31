//! The real binary, in an environment that names proxies.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::flag;

/// A failing test leaves no server behind.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_webhook_uses_no_proxy_and_prints_no_secret() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxied = format!("http://{}", proxy.local_addr().unwrap());
    let home = TempDir::new().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("flags")).unwrap();
    std::fs::write(path("flags/chat.yaml"), flag("chat", "")).unwrap();
    std::fs::write(path("secret"), "sentinel-secret-4711-0123456789abcdef").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--flags",
        &path("flags"),
        "--data",
        &path("data"),
    ]);
    command
        .env("TURNOUT_WEBHOOK_URL", "https://hooks.invalid/sentinel-path-4711?sentinel-query=4711");
    command.env("TURNOUT_WEBHOOK_SECRET_FILE", path("secret"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    {
        command.env(name, &proxied);
    }
    let mut served = Served(command.stderr(Stdio::piped()).spawn().unwrap());
    let mut said = Vec::new();
    for line in BufReader::new(served.0.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("then change") {
            std::fs::write(path("flags/chat.yaml"), flag("chat", "rollout: { realtime-v2: 1% }"))
                .unwrap();
        }
        let last = line
            .contains("problem: the webhook https://hooks.invalid has not taken revision 2 since");
        said.push(line);
        if last {
            break;
        }
    }
    let said = said.join("\n");
    assert!(said.contains("has not taken revision 2"), "{said}");
    assert!(!said.contains("sentinel"), "{said}");
    proxy.set_nonblocking(true).unwrap();
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

//! The secret of a token is printed once, when it is made, and stored nowhere: not in a response, a
//! log, a metric, the database, the journal or the last good file. The real binary is used with
//! unmistakable ones, correctly and incorrectly.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{announced, flag};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use turnout::data_dir::Addresses;

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The bytes of every file below a folder, except those named.
fn bytes_of(folder: &Path, but: &[&str]) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes_of(&path, but));
        } else if but.contains(&path.file_name().unwrap().to_str().unwrap()) {
        } else {
            std::fs::File::open(path).unwrap().read_to_end(&mut all).map(drop).unwrap();
        }
    }
    all
}

fn holds(all: &[u8], text: &str) -> bool {
    all.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_secret_is_printed_once_and_stored_nowhere() {
    let home = TempDir::new().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("flags")).unwrap();
    std::fs::write(path("flags/a.yaml"), flag("a", "rollout: { realtime-v2: 50% }")).unwrap();
    let mut child = Running(
        Command::new(env!("CARGO_BIN_EXE_turnout"))
            .args([
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--flags",
                &path("flags"),
                "--data",
                &path("data"),
            ])
            .env("RUST_BACKTRACE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let log = Arc::new(Mutex::new(String::new()));
    let lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let writing = log.clone();
    let reading = std::thread::spawn(move || {
        lines.for_each(|line| *writing.lock().unwrap() += &(line.unwrap() + "\n"));
    });
    let Addresses { public, admin } =
        announced::wait(&home.path().join("data"), &mut child.0, || log.lock().unwrap().to_owned());
    let own = std::fs::read_to_string(path("data/admin.token")).unwrap().trim().to_owned();

    let client = reqwest::Client::new();
    let mut answers = String::new();
    let mut take = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        answers.push_str(&format!("{:?}\n", answer.headers()));
        answers.push_str(&answer.text().await.unwrap());
    };
    let mut secrets = vec![own.clone()];
    for role in ["viewer", "stopper", "operator", "admin", "server"] {
        let body = json!({ "name": format!("a-{role}"), "role": role }).to_string();
        let made = client
            .post(format!("{admin}/v1/tokens"))
            .bearer_auth(&own)
            .body(body)
            .send()
            .await
            .unwrap();
        let made: Json = made.json().await.unwrap();
        let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
        assert!(secret.starts_with(&format!("turnout-{role}-")), "told apart at sight");
        for secret in [secret, &secret[..secret.len() - 2], &format!("{secret}.{secret}.{secret}")]
        {
            for path in
                ["v1/status", "v1/tokens", "v1/history", "v1/problems", "metrics", "v1/nowhere"]
            {
                take(client.get(format!("{admin}/{path}?token={secret}")).bearer_auth(secret))
                    .await;
            }
            for verb in ["stop", "set", "resume", secret] {
                let body = json!({ "reason": "why", secret: secret }).to_string();
                take(
                    client
                        .post(format!("{admin}/v1/flags/a/{verb}"))
                        .bearer_auth(secret)
                        .body(body),
                )
                .await;
                take(client.post(format!("{admin}/v1/flags/a/{verb}")).bearer_auth(secret)).await;
                let body = json!({ "realtime-v2": secret, "reason": 5 }).to_string();
                take(
                    client
                        .post(format!("{admin}/v1/flags/{secret}/{verb}"))
                        .bearer_auth(&own)
                        .body(body),
                )
                .await;
            }
            take(
                client
                    .post(format!("{admin}/v1/tokens"))
                    .bearer_auth(&own)
                    .body(json!({ "role": secret }).to_string()),
            )
            .await;
            take(client.post(format!("{public}/v1/strategy/a")).bearer_auth(secret).body("{}"))
                .await;
            take(
                client
                    .post(format!("{public}/v1/strategy/a"))
                    .header("x-api-key", secret)
                    .body("{}"),
            )
            .await;
        }
        take(client.post(format!("{admin}/v1/tokens/{id}/revoke")).bearer_auth(&own)).await;
        take(client.get(format!("{admin}/v1/status")).bearer_auth(secret)).await;
        secrets.push(secret.to_owned());
    }
    take(client.get(format!("{admin}/v1/tokens")).bearer_auth(&own)).await;
    take(client.get(format!("{admin}/v1/history?limit=200")).bearer_auth(&own)).await;
    assert!(
        Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().unwrap().success()
    );
    assert!(child.0.wait().unwrap().success());
    reading.join().unwrap();

    let kept = bytes_of(&home.path().join("data"), &["admin.token"]);
    assert!(
        holds(&kept, "turnout-last-good-3") && holds(&kept, "SQLite format 3"),
        "both were looked through"
    );
    let log = log.lock().unwrap();
    for secret in &secrets {
        // Any long part of it: what follows the role is what cannot be guessed.
        let part = &secret[secret.len() - 20..secret.len() - 2];
        for (what, bytes) in [
            ("an answer", answers.as_bytes()),
            ("the log", log.as_bytes()),
            ("the data folder", &*kept),
        ] {
            assert!(!holds(bytes, part), "{what} holds a secret");
        }
    }
}

//! `turnout demo`, as a person runs it: its page, its clients' calls at each of its ports, the
//! commands it prints, and that nothing is left.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use reqwest::{Response, StatusCode};
use serde_json::{Value as Json, json};
use tempfile::{NamedTempFile, TempDir};

use crate::support::typed::{output, turnout};
use crate::support::{PATIENCE, wait_until};

/// A demo that has printed where it is, in a folder for temporary files of its own.
struct Demo {
    child: Child,
    temporary: TempDir,
    /// What it says on stderr.
    said: NamedTempFile,
    printed: String,
    page: String,
    client: reqwest::Client,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    fn start() -> Demo {
        let temporary = TempDir::new().unwrap();
        let mut command = turnout();
        // The settings of a real server are none of the demo's.
        command.env("TURNOUT_LISTEN", "no address").env("TURNOUT_SESSION_KEYS", "no keys");
        command.arg("demo").env("TMPDIR", temporary.path()).stdout(Stdio::piped());
        let said = NamedTempFile::new().unwrap();
        let mut child = command.stderr(said.reopen().unwrap()).spawn().unwrap();
        let mut printed = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            printed += &(line.unwrap() + "\n");
            if printed.contains("Ctrl-C") {
                break;
            }
        }
        let page = printed.lines().map(str::trim).find(|line| line.starts_with("http://"));
        let page = page.unwrap_or_else(|| panic!("no address in {printed}")).to_owned();
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Demo { child, temporary, said, printed, page, client }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.page)).send().await.unwrap()
    }

    async fn session(&self, client: usize) -> String {
        let url = format!("{}/session", self.page);
        let asked = self.client.post(url).header("content-type", "application/json");
        let answer = asked.body(json!({ "client": client }).to_string()).send().await.unwrap();
        answer.json::<Json>().await.unwrap()["session"].as_str().unwrap().to_owned()
    }

    /// Types a command that the page shows.
    fn type_in(&self, line: &str) {
        let mut shell = Command::new("sh");
        let (exit, said, why) = output(shell.args(["-c", line]));
        assert_eq!(exit, 0, "{line}: {said}{why}");
    }

    fn left(&self) -> usize {
        fs::read_dir(self.temporary.path()).unwrap().count()
    }
}

fn port_is_open(origin: &str) -> bool {
    TcpStream::connect(origin.trim_start_matches("http://")).is_ok()
}

#[tokio::test]
async fn a_demo_shows_a_stop_to_its_clients_and_leaves_nothing() {
    let mut demo = Demo::start();
    let page = demo.get("/").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(page.text().await.unwrap().contains("<h1>Twenty clients, live</h1>"));
    let setup: Json = demo.get("/setup.json").await.json().await.unwrap();
    let origins: Vec<&str> =
        setup["origins"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(origins.iter().all(|origin| policy.contains(origin)), "{policy}");
    assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none'"), "{policy}");

    let clients = setup["clients"].as_u64().unwrap() as usize;
    let mut sessions = Vec::new();
    for client in 1..=clients {
        let origin = origins[(client - 1) % origins.len()];
        sessions.push((origin, demo.session(client).await));
    }
    let strategy = async |(origin, session): &(&str, String)| {
        let url = format!("{origin}/v1/strategy/build-events");
        let asked = demo.client.get(url).bearer_auth(session).header("origin", &demo.page);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.headers()["access-control-allow-origin"], *demo.page);
        answer.json::<Json>().await.unwrap()["strategy"].as_str().unwrap().to_owned()
    };
    let strategies = async || {
        let mut all = Vec::new();
        for of in &sessions {
            all.push(strategy(of).await);
        }
        all
    };
    let counted = async |which: &str| strategies().await.iter().filter(|s| *s == which).count();
    assert_eq!((counted("realtime-v2").await, counted("polling").await), (10, 10));

    // One of the ten has its stream open, and gets what is published.
    let first = strategies().await.iter().position(|one| one == "realtime-v2").unwrap();
    let (origin, session) = &sessions[first];
    let asked = demo.client.post(format!("{origin}/v1/token")).bearer_auth(session);
    let asked = asked.body(json!({ "flag": "build-events", "stream": "builds" }).to_string());
    let token: Json = asked.send().await.unwrap().json().await.unwrap();
    let url = format!("{origin}/v1/realtime/build-events/builds");
    let opened = demo.client.get(url).bearer_auth(token["token"].as_str().unwrap());
    let mut stream = opened.send().await.unwrap();
    let mut heard = String::new();
    while !heard.contains("build.step") {
        heard += &String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap());
    }

    let commands = setup["commands"].as_array().unwrap();
    let line = |verb: &str| {
        let lines = commands.iter().map(|command| command["line"].as_str().unwrap());
        lines.clone().find(|line| line.contains(&format!(" {verb} "))).unwrap().to_owned()
    };
    demo.type_in(&line("stop"));
    while let Some(more) = stream.chunk().await.unwrap() {
        heard += &String::from_utf8_lossy(&more);
    }
    assert!(heard.contains("goodbye"), "{heard}");
    assert_eq!(counted("polling").await, clients);
    demo.type_in(&line("resume"));
    assert_eq!(counted("realtime-v2").await, 10);
    demo.type_in(&line("set"));
    assert_eq!(counted("realtime-v2").await, clients);
    demo.type_in(&line("rollback"));
    assert_eq!(counted("realtime-v2").await, 10);
    demo.type_in(&line("status"));

    assert_eq!(demo.left(), 1, "{}", demo.printed);
    let sent = Command::new("kill").args(["-TERM", &demo.child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    wait_until("the end of the demo", async || demo.child.try_wait().unwrap().is_some()).await;
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
    assert_eq!(demo.left(), 0);
    let said = fs::read_to_string(demo.said.path()).unwrap();
    let folder = demo.temporary.path().join("turnout-demo-");
    let ended = format!("The demo has ended; {}", folder.display());
    assert!(said.starts_with(&ended) && said.contains(" is removed, with"), "{said}");
    assert!(!origins.iter().any(|origin| port_is_open(origin)) && !port_is_open(&demo.page));
}

/// A terminal that closes ends it too, and a port that is taken is said so.
#[tokio::test]
async fn a_demo_ends_with_its_terminal() {
    let mut demo = Demo::start();
    let port = demo.page.rsplit(':').next().unwrap().to_owned();
    let mut second = turnout();
    second.args(["demo", "--port", &port]).env("TMPDIR", demo.temporary.path());
    let (exit, printed, said) = output(&mut second);
    assert_eq!((exit, &*printed), (4, ""));
    let taken = format!("turnout: the demo's page cannot have port {port}: address in use");
    assert!(said.starts_with(&taken), "{said}");
    let sent = Command::new("kill").args(["-HUP", &demo.child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    wait_until("the end of the demo", async || demo.child.try_wait().unwrap().is_some()).await;
    assert_eq!((demo.child.wait().unwrap().code(), demo.left()), (Some(0), 0));
}

/// What no page and no other machine may do to it.
#[tokio::test]
async fn a_demo_gives_no_session_to_other_pages() {
    let demo = Demo::start();
    let json = Some("application/json");
    for (what, host, kind, body, wanted) in [
        ("a name that leads here", Some("demo.example.com"), json, r#"{"client":1}"#, 403),
        ("a form of another page", None, Some("text/plain"), r#"{"client":1}"#, 415),
        ("no type", None, None, r#"{"client":1}"#, 415),
        ("no client of the page", None, json, r#"{"client":21}"#, 400),
        ("another user", None, json, r#"{"client":"u-1"}"#, 400),
        ("no JSON", None, json, "{", 400),
        ("a client", None, json, r#"{"client":20}"#, 200),
    ] {
        let mut asked = demo.client.post(format!("{}/session", demo.page)).body(body);
        for (name, value) in [("host", host), ("content-type", kind)] {
            if let Some(value) = value {
                asked = asked.header(name, value);
            }
        }
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::from_u16(wanted).unwrap(), "{what}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{what}");
    }
}

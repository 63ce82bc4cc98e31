//! `turnout ask`, the small client: what it prints, how it fails, and how it follows a server with
//! broken streams. Those servers are fakes, so that each response and delay is known.

mod made_up;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, claims, now, with};
use crate::support::typed::{Row, Server, turnout, words};
use made_up::Fake;
use serde_json::Value as Json;
use turnout::auth::Algorithm;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_question_is_answered_in_one_line() {
    let server = Server::start();
    let table: &[Row] = &[
        ("ask chat --user u-2", 0, &["polling   rule rollout\n"], &[]),
        ("ask chat --user u-1", 0, &["realtime-v2   rule rollout\n"], &[]),
        ("ask chat", 0, &["polling   rule no-unit\n"], &[]),
        ("ask chat --user u-1 --attr platform=ios", 0, &["polling   rule deny\n"], &[]),
        ("ask chat --user u-1 --attr platform:=\"ios\"", 0, &["polling   rule deny\n"], &[]),
        (
            "ask chat --user u-1 --attr platform:=5",
            0,
            &["polling   rule error\n"],
            &["platform:=5 is no text; write platform=5 for a text"],
        ),
        ("ask chat --attr platform", 2, &[], &["write NAME=VALUE"]),
        ("ask chat --attr seats:=many", 2, &[], &["`many` is not JSON; write seats=many"]),
        ("ask chta --user u-2", 1, &[], &["no flag `chta`; did you mean `chat`?"]),
        ("ask chta --user u-2 -w", 1, &[], &["no flag `chta`; did you mean `chat`?"]),
        (
            "ask nothing-like-it",
            1,
            &[],
            &["no flag `nothing-like-it`; turnout status lists the flags\n"],
        ),
        ("ask ../chat", 2, &[], &["must match"]),
        (
            "ask chat --bearer-file /not/there",
            2,
            &[],
            &["no token could be read from /not/there (No such file"],
        ),
        ("ask chat --url nowhere", 2, &[], &["write http://HOST:PORT"]),
        (
            "ask chat --url http://127.0.0.1:1",
            4,
            &[],
            &["no server answers there; is it running? --url says where to ask"],
        ),
    ];
    table.iter().for_each(|row| server.check(*row));
    let reply = server.json("ask chat --user u-1 --json");
    assert_eq!(
        (&reply["flag"], &reply["strategy"], &reply["validForMs"]),
        (&"chat".into(), &"realtime-v2".into(), &60_000.into())
    );
    server.check((
        &format!("ask chat --url {}", server.admin),
        4,
        &[],
        &["this is the admin listener", "ask the public listener, on port"],
    ));

    let wrong = server.home.path().join("wrong");
    fs::write(&wrong, "not-a-key\n").unwrap();
    let file = format!("ask chat --user u-2 --bearer-file {}", wrong.display());
    server.check((
        &file,
        3,
        &[],
        &["does not accept the credential in /", "wrong; it is expired, revoked"],
    ));
    server.check((&format!("{file} -w"), 3, &[], &["does not accept the credential in /"]));
    // A token of operators is told from a session.
    let (_, secret, _) = server.run("token create someone --role operator");
    fs::write(&wrong, &secret).unwrap();
    server.check((
        &file,
        3,
        &[],
        &["wrong holds a token of operators (turnout-operator-…)", "turnout session USER"],
    ));
    // A token of the role `server` is accepted as a server key.
    let (_, secret, _) = server.run("token create shop --role server");
    fs::write(&wrong, &secret).unwrap();
    server.check((&file, 0, &["polling   rule rollout\n"], &[]));
    server.check((&file.replace(" --user u-2", ""), 2, &[], &["a server key names no user"]));
    assert!(!secret.is_empty() && server.run(&file).2.is_empty(), "no secret is shown");

    let kill = |signal: &str| {
        Command::new("kill").args([signal, &server.child.id().to_string()]).status().unwrap()
    };
    assert!(kill("-STOP").success());
    server.check(("ask chat --user u-2", 4, &[], &["it did not answer in time"]));
    assert!(kill("-CONT").success());
}

#[test]
fn ask_says_which_credential_is_missing() {
    let server = Server::start_with(&["--unverified", "deny"]);
    for line in ["ask chat --user u-1", "ask chat --user u-1 -w"] {
        server.check((
            line,
            3,
            &[],
            &[
                "a session token or a server key is needed here",
                "--bearer-file names a file with one",
            ],
        ));
    }
}

/// The user of a session token needs no name; a token that ends is read anew from its file.
#[test]
fn ask_follows_the_user_of_a_session_token() {
    let issuer = Issuer::new(Algorithm::Es256, "k");
    let folder = tempfile::TempDir::new().unwrap();
    let (keys, token) = (folder.path().join("keys"), folder.path().join("token"));
    fs::write(&keys, issuer.jwks()).unwrap();
    fs::write(&token, issuer.token("u-1")).unwrap();
    let keys = keys.to_str().unwrap();
    let session = [
        "--session-algorithm",
        "ES256",
        "--session-issuer",
        ISSUER,
        "--session-audience",
        AUDIENCE,
    ];
    let server = Server::start_with(
        &[&["--unverified", "deny", "--session-keys", keys], &session[..]].concat(),
    );
    let line = format!("ask chat --bearer-file {}", token.display());
    server.check((&line, 0, &["realtime-v2   rule rollout\n"], &[]));
    server.check((&format!("{line} --attr platform=ios"), 0, &["polling   rule deny\n"], &[]));
    server.check((&format!("{line} --user u-2"), 3, &[], &["the token speaks for another user"]));
    let ends_soon = with(&claims("u-1"), "exp", (now() + 5).into());
    fs::write(&token, issuer.sign(&issuer.header(), &ends_soon)).unwrap();
    let client = Client::start(&server.public, &format!("{line} -w"));
    client.prints("realtime-v2  rule rollout");
    fs::write(&token, issuer.token("u-1")).unwrap();
    client.says("the token's time is over; asking every 60 s");
    client.says("watching chat at http://");
    server.check(("stop chat -w", 0, &["done\n"], &[]));
    client.prints("polling      rule stop");
}

#[test]
fn ask_ends_when_its_reader_leaves() {
    let server = Server::start();
    let mut child = server
        .command("ask chat --user u-1 -w")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    server.check(("stop chat", 0, &["STOPPED"], &[]));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The client waits for a server that is gone, and follows it again when it is back.
#[test]
fn ask_waits_for_a_server_that_is_not_up_yet() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::start(&format!("http://{address}"), "ask chat --user u-1 -w");
    client.says("no server answers there; is it running?");
    let (_home, _server) = {
        let home = tempfile::TempDir::new().unwrap();
        let chat =
            "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n";
        fs::write(home.path().join("chat.yaml"), chat).unwrap();
        let mut server = turnout();
        server
            .args(["--listen", &address.to_string(), "--admin-listen", "127.0.0.1:0", "--flags"])
            .arg(home.path());
        server.arg("--data").arg(home.path().join("data")).stderr(Stdio::null());
        (home, Ended(server.spawn().unwrap()))
    };
    client.prints("polling      rule default   first poll within 4000 ms");
}

/// A heartbeat that names another document than the one held: the client asks, and acknowledges
/// only what it holds.
#[test]
fn ask_resyncs_when_a_heartbeat_names_another_document() {
    let fake = Fake::start(|request, count, stream| match &*request.path {
        "/v1/strategy/chat/watch" if count == 0 => {
            stream.head();
            stream.put(&format!(
                "retry: 1000\n{}",
                state("5", "a", ",\"ackId\":\"0-7\"", "realtime-v2", "stop")
            ));
            stream.put("id: 6\ndata: {\"type\":\"news\",\"etag\":\"x\"}\n\n");
            stream.put("id: 7\ndata: {\"type\":\"heartbeat\",\"etag\":\"\\\"b\\\"\"}\n\n");
            stream.hold();
        }
        "/v1/strategy/chat" => stream.answer(
            "200 OK",
            "etag: \"b\"\r\nturnout-revision: 7\r\n",
            &document("polling", "rollout"),
        ),
        _ => stream.answer("204 No Content", "", ""),
    });
    let client = Client::start(&fake.url, "ask chat --user u-1 -w --json");
    let (first, second) = (client.json(), client.json());
    assert_eq!(
        (&first["strategy"], &first["position"], &first["by"]),
        (&"realtime-v2".into(), &"5".into(), &"stream".into())
    );
    assert_eq!(
        (&second["strategy"], &second["position"], &second["by"]),
        (&"polling".into(), &"7".into(), &"asking".into())
    );
    assert_eq!(second["client"], "leave realtime at once; first poll within 5000 ms");
    assert_eq!(second["document"]["rule"], "rollout");
    let acknowledged = fake.next("/v1/watch/ack");
    let acknowledged: Json = serde_json::from_str(&acknowledged.body).unwrap();
    assert_eq!(
        acknowledged,
        serde_json::json!({ "ackId": "0-7", "position": "7" }),
        "of several within the delay, the last"
    );
}

/// Goodbyes, refusals and broken streams: the client reconnects when it was told to, polls
/// meanwhile, and puts no user's id into an address.
#[test]
fn ask_reconnects_after_the_time_the_server_names() {
    // The current state: a question never gets an older state than a stream has sent, however late
    // it comes.
    const STATES: [[&str; 4]; 3] = [
        ["5", "a", "polling", "rollout"],
        ["6", "b", "disabled", "deny"],
        ["8", "c", "realtime-v2", "allow"],
    ];
    let holds = Arc::new(AtomicUsize::new(0));
    let fake = Fake::start(move |request, count, stream| {
        let say = |now: usize, more: &str| {
            holds.store(now, SeqCst);
            let [position, etag, strategy, rule] = STATES[now];
            state(position, etag, more, strategy, rule)
        };
        match &*request.path {
            "/v1/strategy/chat/watch" => match count {
                0 => {
                    stream.head();
                    stream.put(&say(0, ",\"ackId\":\"0-7\""));
                    stream.put("retry: 900\ndata: {\"type\":\"goodbye\",\"reason\":\"stopping\",\"afterMs\":900}\n\n");
                }
                1 => stream.answer(
                    "503 Service Unavailable",
                    "retry-after: 2\r\n",
                    "{\"title\":\"x\",\"status\":503,\"code\":\"too-many-streams\",\"detail\":\"full\"}",
                ),
                2 => {
                    stream.head();
                    // In pieces, with CRLF, and broken off in the middle of the second event.
                    for piece in
                        say(1, ",\"ackId\":\"0-8\"").replace('\n', "\r\n").as_bytes().chunks(7)
                    {
                        stream.bytes(piece);
                    }
                    stream.put("retry: 300\nid: 7\ndata: {\"type\":\"stra");
                }
                3 => {
                    stream.head();
                    // In one write: an acknowledgement that happened to be sent at once would end
                    // the stream between them.
                    stream.put(&format!(
                        "retry: 500\n{}{}",
                        say(1, ",\"ackId\":\"0-9\""),
                        say(2, "")
                    ));
                    stream.hold();
                }
                // The server does not know a stream that it holds open: the stream was lost on the
                // way.
                _ => stream.hold(),
            },
            "/v1/watch/ack" if request.body.contains("0-9") => {
                stream.answer("404 Not Found", "", "{\"code\":\"no-such-stream\"}");
            }
            "/v1/strategy/chat" => {
                let [position, etag, strategy, rule] = STATES[holds.load(SeqCst)];
                let head = format!("etag: \"{etag}\"\r\nturnout-revision: {position}\r\n");
                stream.answer("200 OK", &head, &document(strategy, rule));
            }
            _ => stream.answer("204 No Content", "", ""),
        }
    });
    let client = Client::start(&fake.url, "ask chat --user u-1 -w");
    client.prints("5      polling      rule rollout   first poll within 4000 ms");
    client.prints("6      disabled     rule deny      stop polling; no live updates");
    client.prints("8      realtime-v2  rule allow     enter realtime within 5000 ms by chance");
    let (mut watched, mut asked) = (Vec::new(), Vec::new());
    while watched.len() < 5 {
        let request = fake.requests.recv_timeout(PATIENCE).unwrap();
        match &*request.path {
            "/v1/strategy/chat/watch" => watched.push(request.at),
            "/v1/strategy/chat" => asked.push(request.at),
            _ => {}
        }
    }
    let gaps: Vec<u128> = watched.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    // (at least; at most, with much room for a busy machine)
    for (gap, least, most) in [
        (gaps[0], 900, 9_000),
        (gaps[1], 2_000, 9_000),
        (gaps[2], 150, 9_000),
        (gaps[3], 250, 9_000),
    ] {
        assert!((least..most).contains(&gap), "{gaps:?}");
    }
    // A document is valid for 700 ms here, and for three seconds there was no stream.
    let without_stream = asked.iter().filter(|at| (watched[0]..watched[2]).contains(*at)).count();
    assert!(
        (2..=9).contains(&without_stream),
        "{without_stream} questions while there was no stream"
    );
    for why in [
        "the server stops; asking every 0.7 s",
        "full; asking every",
        "the stream broke; asking every",
    ] {
        client.says(why);
    }
}

fn document(strategy: &str, rule: &str) -> String {
    format!(
        r#"{{"flag":"chat","strategy":"{strategy}","reason":"SPLIT","rule":"{rule}","validForMs":700,"staleIfErrorMs":9000,"enterSpreadMs":5000,"watch":{{"kind":"sse","url":"/w","ackUrl":"/a"}},"polling":{{"startMs":4000,"minMs":1000,"maxMs":9000,"factor":1.5,"dedupeMs":1000,"limit":100,"waitMs":0}},"report":{{"url":"/r","everyMs":60000}},"later":1}}"#
    )
}

fn state(position: &str, etag: &str, more: &str, strategy: &str, rule: &str) -> String {
    let document = document(strategy, rule);
    format!(
        "id: {position}\ndata: {{\"type\":\"strategy\",\"etag\":\"\\\"{etag}\\\"\"{more},\"document\":{document}}}\n\n"
    )
}

/// A process that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Client {
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    _child: Ended,
}

impl Client {
    fn start(url: &str, line: &str) -> Client {
        let mut command = turnout();
        command
            .args(words(line))
            .env("TURNOUT_URL", url)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Client { stdout, stderr, _child: Ended(child) }
    }

    fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("it printed nothing more")
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.line()).unwrap()
    }

    #[track_caller]
    fn prints(&self, wanted: &str) {
        let line = self.line();
        assert!(line.contains(wanted), "no `{wanted}` in {line}");
    }

    #[track_caller]
    fn says(&self, wanted: &str) {
        let mut said = Vec::new();
        while let Ok(line) = self.stderr.recv_timeout(PATIENCE) {
            if line.contains(wanted) {
                return;
            }
            said.push(line);
        }
        panic!("no `{wanted}` in {said:?}");
    }
}

fn lines(reader: impl Read + Send + 'static) -> Receiver<String> {
    let (put, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(reader).lines().map_while(Result::ok).try_for_each(|line| put.send(line))
    });
    lines
}

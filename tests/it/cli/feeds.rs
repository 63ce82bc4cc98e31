//! `turnout publish`, `follow` and `streams`: what they print, how they fail, and that a follower
//! misses nothing.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::feeds::{Feeds, event, numbered};
use crate::support::guarded::SERVER_KEY;
use crate::support::typed::{Row, Server, turnout, words};
use crate::support::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

/// A follower, and the lines of both its outputs.
struct TypedFollower {
    child: Child,
    events: Receiver<String>,
    notes: Receiver<String>,
}

impl Drop for TypedFollower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl TypedFollower {
    fn start(mut command: Command) -> TypedFollower {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let events = lines(child.stdout.take().unwrap());
        let notes = lines(child.stderr.take().unwrap());
        TypedFollower { child, events, notes }
    }

    fn event(&self) -> String {
        self.events.recv_timeout(PATIENCE).expect("it printed nothing more")
    }

    /// The ids of the next events.
    fn ids(&self, count: usize) -> Vec<String> {
        let id = |line: String| {
            let event: Json = serde_json::from_str(&line).unwrap();
            event["id"].as_str().unwrap().to_owned()
        };
        (0..count).map(|_| id(self.event())).collect()
    }

    #[track_caller]
    fn says(&self, wanted: &str) -> String {
        let mut said = Vec::new();
        while let Ok(line) = self.notes.recv_timeout(PATIENCE) {
            if line.contains(wanted) {
                return line;
            }
            said.push(line);
        }
        panic!("no `{wanted}` in {said:?}");
    }

    /// How it ended, after it printed no further event.
    fn end(mut self) -> Option<i32> {
        let code = self.child.wait().unwrap().code();
        let more: Vec<String> = self.events.iter().collect();
        assert!(more.is_empty(), "{more:?}");
        code
    }
}

fn lines(reader: impl Read + Send + 'static) -> Receiver<String> {
    let (put, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(reader).lines().map_while(Result::ok).try_for_each(|line| put.send(line))
    });
    lines
}

#[test]
fn a_follower_prints_each_event_once_and_in_order_over_a_restart() {
    let mut server = Server::start();
    let publish = |server: &Server, id: u32| {
        let line = format!("publish chat b-42 --type build.step --id e-{id} --data {id}");
        server.check((&line, 0, &["chat/b-42   1 event published\n"], &[]));
    };
    let no_reader =
        "no user may read it yet: turnout publish chat b-41 --readers USER, or --verified\n";
    server.check(("publish chat b-41 --data 1", 0, &["chat/b-41   1 event"], &[no_reader]));
    assert!(!server.run("publish chat b-41 --data 2").2.contains("no user"));
    assert!(!server.run("publish chat b-41x --data 1 --verified").2.contains("no user"));
    (1..=3).for_each(|id| publish(&server, id));
    let mut command = server.command("follow chat b-42 --json");
    // It finds the server by its data folder, also where it listens after a restart.
    command.env("TURNOUT_SERVER", "");
    let follower = TypedFollower::start(command);
    assert_eq!(follower.ids(3), ["e-1", "e-2", "e-3"]);
    publish(&server, 4);
    assert_eq!(follower.ids(1), ["e-4"]);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    follower.says("; asking again in ");
    server.restart();
    publish(&server, 5);
    let again = "publish chat b-42 --type build.step --id e-5 --data 5";
    server.check((again, 0, &["the stream held it already\n"], &[]));
    assert_eq!(follower.ids(1), ["e-5"]);
    follower.says("the stream answers again");
    server.check((
        "publish chat b-42 --type build.done --id e-6 --data '{ \"n\": 1e400,\n \"t\": \" a \\u202e\" }' --ended",
        0,
        &["1 event published   ended\n"],
        &[],
    ));
    let last = follower.event();
    let (id, data) = ("\"id\":\"e-6\"", "\"data\":{\"n\":1e400,\"t\":\" a \\u202e\"}");
    assert!(last.contains(id) && last.contains(data), "{last}");
    follower.says("the stream has ended");
    assert_eq!(follower.end(), Some(0));

    let (exit, printed, _) = server.run("follow chat b-42");
    let rows: Vec<&str> = printed.lines().collect();
    assert_eq!((exit, rows.len()), (0, 6), "{printed}");
    assert!(rows[0].ends_with("  build.step  e-1  1"), "{printed}");
    let wanted = "turnout: the stream has ended";
    server.check(("publish chat b-42 --type late", 3, &[], &[wanted]));
}

/// Many events at once, and a stream that is deleted and made anew, over the public listener.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_drains_what_there_is_and_goes_on_from_where_it_is_told() {
    let feeds = Feeds::start().await;
    feeds.publish_ids("b", numbered(1..=120)).await;
    let home = TempDir::new().unwrap();
    let (key, session) = (home.path().join("key"), home.path().join("session"));
    fs::write(&key, SERVER_KEY).unwrap();
    fs::write(&session, feeds.issuer.token("u-1")).unwrap();
    let url = feeds.guarded.service.url("");
    let follow = |file: &std::path::Path| {
        let mut command = turnout();
        command.args(words("follow a b --json")).env("TURNOUT_URL", &url);
        command.env("TURNOUT_BEARER_FILE", file);
        TypedFollower::start(command)
    };
    let mut misspelt = turnout();
    misspelt.args(words("streams aa")).env("TURNOUT_URL", &url).env("TURNOUT_BEARER_FILE", &key);
    let misspelt = tokio::task::spawn_blocking(move || misspelt.output().unwrap()).await.unwrap();
    let said = String::from_utf8(misspelt.stderr).unwrap();
    assert!(said.contains("there is no flag `aa`; did you mean `a`?"), "{said}");
    let (server, user) = (follow(&key), follow(&session));
    let server = tokio::task::spawn_blocking(move || {
        assert_eq!(server.ids(120), numbered(1..=120));
        server
    });
    let server = server.await.unwrap();
    let user = tokio::task::spawn_blocking(move || {
        let said = user.says("no such stream yet, or it is not yours to read; asking again in ");
        // As soon as after a poll that found nothing: it may be there in a moment.
        assert!(
            said.ends_with("in 3.8 s") || said.contains(" in 3.9") || said.contains(" in 4."),
            "{said}"
        );
        user
    });
    let user = user.await.unwrap();
    // Now the user may, and finds it when asking again.
    assert_eq!(feeds.publish("b", json!({ "readers": ["u-1"] })).await.status, 200);
    let user = tokio::task::spawn_blocking(move || {
        assert_eq!(user.ids(120), numbered(1..=120));
        user
    });
    let user = user.await.unwrap();
    assert_eq!(feeds.delete("b").await.status, 200);
    feeds.publish_ids("b", numbered(7..=8)).await;
    let ended = tokio::task::spawn_blocking(move || {
        server.says("a/b: the stream is another one than before (stream-reset)");
        assert_eq!(server.ids(2), numbered(7..=8));
        [server, user].map(|follower| {
            let child = follower.child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &child]).status().unwrap().success());
            follower.end()
        })
    });
    assert_eq!(ended.await.unwrap(), [Some(0), Some(0)], "Ctrl-C is how a person ends it");
}

#[test]
fn what_cannot_be_published_is_said_in_one_line() {
    let server = Server::start();
    let file = |name: &str, bytes: &[u8]| {
        let path = server.home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let large = file("large.json", format!("\"{}\"", "x".repeat(32 * 1024 - 1)).as_bytes());
    let huge = file("huge.json", &[b' '; 70_000]);
    let bytes = file("bytes.json", b"\"\xff\"");
    let key = file("key", b"not-a-key");
    let most = file("most.json", format!("\"{}\"\n", "x".repeat(32 * 1024 - 2)).as_bytes());
    let url = &server.public;
    let table: &[(&str, i32, &[&str])] = &[
        (
            "publish chat b --data {",
            2,
            &["--data: that is not JSON (line 1, column 1); a text has quotes, like"],
        ),
        ("publish chat b --data done", 2, &["--data: that is not JSON"]),
        ("publish chat b --data ''", 2, &["an event without data has null"]),
        (&format!("publish chat b {large}"), 2, &["large.json: an event has at most 32768 bytes"]),
        (&format!("publish chat b {huge}"), 2, &["huge.json: an event has at most 32768 bytes"]),
        (&format!("publish chat b {bytes}"), 2, &["bytes.json: that is not UTF-8"]),
        ("publish chat b /not/there", 2, &["/not/there cannot be read (No such file"]),
        ("publish chat b", 2, &["there is nothing to publish; say --data JSON, FILE or -"]),
        ("publish chat b --type 'a b'", 2, &["--type", "a type has 1 to 64 letters"]),
        ("publish chat b --id é", 2, &["--id", "an id has 1 to 128 printable"]),
        ("publish chat b --id ''", 2, &["--id", "an id has 1 to 128 printable"]),
        ("publish chta b --data 1", 1, &["there is no flag `chta`; did you mean `chat`?"]),
        ("follow chta b", 1, &["there is no flag `chta`; did you mean `chat`?"]),
        ("streams chta", 1, &["there is no flag `chta`; did you mean `chat`?"]),
        ("publish mail b --data 1", 1, &["there is no flag `mail`; turnout status lists the"]),
        (
            &format!("publish chat b --data 1 --url {url} --bearer-file {key}"),
            3,
            &["the server does not accept the credential in /", "key; it is expired, revoked"],
        ),
        (
            &format!("streams --url {url} --bearer-file /not/there"),
            2,
            &["no token could be read from /not/there", "--bearer-file names a server key"],
        ),
        (
            &format!("streams --url {url} --token-file /not/there"),
            3,
            &["a server key is needed there; --bearer-file or TURNOUT_BEARER_FILE names a file"],
        ),
        ("streams --server http://127.0.0.1:1", 4, &["no server answers there; is it running?"]),
    ];
    for (line, exit, wanted) in table {
        server.check((line, *exit, &[], wanted));
        let said = server.run(line).2;
        // A follower first says whom it follows.
        let said = said.lines().filter(|line| !line.starts_with("following "));
        assert_eq!(said.count(), 1, "{line}");
    }
    for line in ["publish chat ../x --data 1", "follow chat .", "publish ../chat b --data 1"] {
        server.check((line, 2, &[], &["must match"]));
    }
    server.check(("publish chat b x.json --data 1", 2, &[], &["cannot be used with"]));
    server.check((&format!("publish chat b {most}"), 0, &["1 event published\n"], &[]));
    let mut piped = server.command("publish chat b - --id piped --json");
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"step\": 1}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let reply: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &reply["accepted"]), (Some(0), &1.into()));
    let other = "publish chat b --id piped --data 2";
    server.check((other, 3, &[], &["event 1 has the id of an event with another type or other"]));
}

#[test]
fn streams_are_listed_without_their_readers() {
    let server = Server::start();
    server.check(("streams", 0, &[], &["there are no streams; turnout publish makes one"]));
    let table: &[Row] = &[
        ("publish chat b-1 --readers sentinel-1,sentinel-2", 0, &["readers replaced\n"], &[]),
        ("publish chat b-1 --data 1 --id e-1", 0, &["1 event published\n"], &[]),
        ("publish chat b-2 --verified", 0, &["every verified user may read it\n"], &[]),
        ("publish search s --readers '' --ended", 0, &["readers replaced   ended\n"], &[]),
    ];
    table.iter().for_each(|row| server.check(*row));
    let (_, printed, _) = server.run("streams");
    let cells: Vec<Vec<&str>> =
        printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let bytes = cells[1][2];
    assert_eq!(
        cells,
        [
            ["HEAD", "KEPT", "BYTES", "READERS", "ENDED", "STREAM"],
            ["1", "1", bytes, "2", "-", "chat/b-1"],
            ["0", "0", cells[2][2], "verified", "-", "chat/b-2"],
            ["0", "0", cells[3][2], "0", "ended", "search/s"],
        ],
        "{printed}"
    );
    assert!(printed.lines().all(|line| line.len() <= 80), "{printed}");
    let (_, secret, _) = server.run("token create shop --role server");
    let key = server.home.path().join("key");
    fs::write(&key, &secret).unwrap();
    let (exit, by_key, said) = server.run(&format!("streams --bearer-file {}", key.display()));
    assert_eq!((exit, &*by_key, &*said), (0, &*printed, ""), "by a server key");
    let (_, lines, _) = server.run("streams chat --json");
    let first: Json = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let of = |name: &str| first[name].clone();
    assert_eq!((of("flag"), of("stream"), of("readers")), (json!("chat"), json!("b-1"), json!(2)));
    assert!(!format!("{printed}{lines}").contains("sentinel"), "{printed}{lines}");
}

/// The commands of the README, as they stand there.
#[test]
fn the_readme_publishes_and_follows() {
    let server = Server::start();
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("## Publish events and follow them").nth(1).expect("the section");
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let commands = block.lines().map(|line| line.split('#').next().unwrap().trim());
    let commands: Vec<String> = commands
        .map(|line| line.strip_prefix("turnout ").unwrap().replace("build-events", "chat"))
        .collect();
    let [publish @ .., follow, streams] = &commands[..] else { panic!("{commands:?}") };
    assert!(publish.len() > 2 && follow.starts_with("follow") && streams.starts_with("streams"));
    for line in publish {
        server.check((line, 0, &["chat/b-7   1 event published"], &[]));
    }
    let (exit, printed, _) = server.run(follow);
    assert_eq!((exit, printed.lines().count()), (0, publish.len()), "{printed}");
    server.check((streams, 0, &["chat/b-7"], &[]));
}

/// A follower's polls wait for events where the flag's file says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_waits_for_events_where_its_flag_says_so() {
    let feeds = Feeds::start().await;
    let path = feeds.guarded.service.flags.join("a.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\ntransports: {{ polling: {{ wait: 20s }} }}\n")).unwrap();
    let token = feeds.issuer.token("u-1");
    wait_until("the wait is live", async || {
        let own = feeds.ask(Method::GET, "/v1/strategy/a", Some(&token), None).await;
        own.body["polling"]["waitMs"] == 20_000
    })
    .await;
    let body = json!({ "readers": ["u-1"], "events": [event("e-1")] });
    assert_eq!(feeds.publish("b", body).await.status, 200);
    let home = TempDir::new().unwrap();
    let session = home.path().join("session");
    fs::write(&session, &token).unwrap();
    let mut command = turnout();
    command.args(words("follow a b --json")).env("TURNOUT_URL", feeds.guarded.service.url(""));
    command.env("TURNOUT_BEARER_FILE", &session);
    let follower = TypedFollower::start(command);
    let follower = tokio::task::spawn_blocking(move || {
        assert_eq!(follower.ids(1), ["e-1"]);
        follower
    });
    let follower = follower.await.unwrap();
    for id in ["e-2", "e-3"] {
        wait_until("its poll is held", async || feeds.held().await == 1).await;
        feeds.publish_ids("b", [id.to_owned()]).await;
        wait_until("its poll is answered", async || feeds.held().await == 0).await;
    }
    assert_eq!(feeds.publish("b", json!({ "ended": true })).await.status, 200);
    let ended = tokio::task::spawn_blocking(move || {
        assert_eq!(follower.ids(2), ["e-2", "e-3"]);
        follower.says("the stream has ended");
        assert_eq!(follower.end(), Some(0));
    });
    ended.await.unwrap();
}

/// The strategy is switched to and fro; the follower says each switch, and prints each event once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_switches_between_the_tracks_and_misses_nothing() {
    let realtime = crate::realtime::Realtime::start().await;
    let service = &realtime.guarded.service;
    let quick = "client: { enter_spread: 0s }\ntransports: { polling: { start: 1s, min: 1s, max: 2s, dedupe: 1s } }";
    let path = service.flags.join("a.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let revision = service.revision();
    fs::write(&path, format!("{text}{quick}\n")).unwrap();
    service.reach(revision + 1).await;
    realtime.publish_numbers("b-1", 1..=120).await;
    let session = service.data.join("session");
    fs::write(&session, realtime.session(json!({ "targetingKey": "u-sub" })).await).unwrap();
    let mut command = turnout();
    command.args(words("follow a b-1 --json")).env("TURNOUT_URL", service.url(""));
    command.env("TURNOUT_BEARER_FILE", &session);
    let follower = TypedFollower::start(command);
    let mut published = 120;
    let mut expected = numbered(1..=published);
    let mut got = tokio::task::block_in_place(|| follower.ids(120));
    for round in 0..4 {
        tokio::task::block_in_place(|| follower.says("in realtime now"));
        for _ in 0..5 {
            published += 1;
            realtime.publish_numbers("b-1", published..=published).await;
            expected.extend(numbered(published..=published));
        }
        got.extend(tokio::task::block_in_place(|| follower.ids(5)));
        let stop = service.order("/v1/flags/a/stop", json!({})).await;
        assert_eq!(stop.status(), 200, "round {round}");
        published += 1;
        realtime.publish_numbers("b-1", published..=published).await;
        expected.extend(numbered(published..=published));
        tokio::task::block_in_place(|| follower.says("polling from now on"));
        got.extend(tokio::task::block_in_place(|| follower.ids(1)));
        let counts: Json = service.admin("/v1/flags/a/convergence").await.json().await.unwrap();
        assert_eq!(counts["streams"]["ended"], 1, "{counts}");
        service.order("/v1/flags/a/resume", json!({ "reason": "on" })).await;
    }
    assert_eq!(got, expected);
}

//! `-w`: a change is watched as it converges, by the real binary, a real server and real clients
//! (`turnout ask -w`), of which one may hang.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::support::typed::Server;
use serde_json::Value as Json;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One `turnout ask -w`, ended with the test.
struct Client {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client {
    fn start(server: &Server, line: &str) -> Client {
        let mut child =
            server.command(line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (put, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| put.send(line))
        });
        Client { child, lines }
    }

    #[track_caller]
    fn hears(&self, wanted: &str) {
        let line =
            self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("never heard: {wanted}"));
        assert!(line.contains(wanted), "no `{wanted}` in {line}");
    }

    fn signal(&self, of: &str) {
        signal(&self.child, of);
    }
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Three clients of `chat` at 100 %, all of which have acknowledged the state.
fn clients(server: &Server) -> Vec<Client> {
    server.check(("set chat 100% --reason x", 0, &["revision 2"], &[]));
    let clients = ["u-2", "u-3", "u-4"]
        .map(|user| Client::start(server, &format!("ask chat --user {user} -w")));
    clients.iter().for_each(|client| {
        client.hears("realtime-v2  rule rollout   enter realtime within 5000 ms by chance");
    });
    server.check(("status -w", 0, &["REV  CLIENTS", "   done\n"], &[]));
    clients.into()
}

#[test]
fn a_change_is_watched_until_every_client_holds_it() {
    let server = Server::start();
    let clients = clients(&server);
    server.check(("status", 0, &["  2    100% of 3\n", "  1    -\n"], &[]));

    let (exit, stdout, stderr) = server.run("rollback chat -w");
    assert_eq!(exit, 0, "{stdout}{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "revision 3   chat   realtime-v2 100% -> 10%   back to revision 1");
    let held = lines[1].starts_with("3 of 3 clients hold it (99% within ");
    assert!(lines.len() == 2 && held && lines[1].ends_with("   done"), "{stdout}");
    assert!(
        stderr.starts_with("undo: turnout rollback chat") && stderr.contains(" of 3 hold it"),
        "{stderr}"
    );
    assert!(!stderr.contains('\x1b'), "nothing is drawn where there is no terminal: {stderr:?}");
    clients.iter().for_each(|client| {
        client
            .hears("polling      rule rollout   leave realtime at once; first poll within 5000 ms");
    });
    server.check(("status chat", 0, &["  clients  3 streams: 3 confirmed\n"], &[]));

    server.check(("set chat 5% -w", 0, &["realtime-v2 10% -> 5%", "done\n"], &[]));
    server.check(("stop --all -w", 0, &["search", "done\n"], &[]));
    clients.iter().for_each(|client| client.hears("polling      rule stop      go on as before"));
    server.check((
        "set chat 100% -w --reason x",
        0,
        &["kept for later: 100%", "done\n"],
        &["saved, NOT live"],
    ));
    server.check(("resume chat -w --reason x", 0, &["done\n"], &["undo"]));
    clients
        .iter()
        .for_each(|client| client.hears("poll on; enter realtime within 5000 ms by chance"));
    server.check(("unset chat -w --reason x", 0, &["done\n"], &[]));

    for mut client in clients {
        client.signal("-INT");
        assert_eq!(
            client.child.wait().unwrap().code(),
            Some(0),
            "a client that is ended by hand ends well"
        );
    }
}

#[test]
fn a_client_that_hangs_is_missing_until_it_goes_on() {
    let server = Server::start();
    let clients = clients(&server);
    clients[1].signal("-STOP");
    let missing = "1 of 3 missing since ";
    let again = "; turnout status chat -w goes on looking\n";
    server.check((
        "rollback chat -w --limit 2s",
        1,
        &["realtime-v2 100% -> 10%", missing, again],
        &["undo", "2 of 3 hold it, 1 missing"],
    ));
    server.check(("status", 0, &["  66.6% of 3, 1 missing\n"], &[]));
    server.check(("status chat", 0, &["3 streams: 2 confirmed, 1 missing\n"], &[]));
    server.check(("status chat -w --limit 300ms", 1, &[missing, again], &[]));
    server.check((
        "status -w --limit 300ms",
        1,
        &[missing, "; turnout status -w goes on looking\n"],
        &[],
    ));

    // The hanging client goes on, and another change comes while the command watches.
    let mut looking = server
        .command("status chat -w --limit 60s")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = BufReader::new(looking.stderr.take().unwrap());
    let mut said = String::new();
    talk.read_line(&mut said).unwrap();
    server.check(("stop chat", 0, &["STOPPED"], &[]));
    // (As it is seen at that moment: in the journal, or already committed.)
    let meanwhile =
        |position| format!("position {position} went live meanwhile; looking on at that\n");
    while !["3+1", "4"].iter().any(|position| said.contains(&meanwhile(position))) {
        assert!(talk.read_line(&mut said).unwrap() > 0, "{said}");
    }
    clients[1].signal("-CONT");
    let looked = looking.wait_with_output().unwrap();
    let stdout = String::from_utf8(looked.stdout).unwrap();
    assert!(looked.status.code() == Some(0) && stdout.ends_with("   done\n"), "{stdout}{said}");
    server.check(("status", 0, &["  100% of 3\n"], &[]));
}

#[test]
fn watching_with_json_prints_every_state_of_the_server() {
    let server = Server::start();
    let lines = |line: &str| {
        let (exit, stdout, stderr) = server.run(line);
        assert_eq!((exit, &*stderr), (0, ""), "{line}");
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Json>>()
    };
    let _clients = clients(&server);
    let states = lines("rollback chat -w --json");
    assert_eq!((&states[0]["outcome"], &states[0]["revision"]), (&"committed".into(), &3.into()));
    assert!(
        states.len() >= 2
            && states[1..]
                .iter()
                .all(|states| states["flag"] == "chat" && states["streams"]["open"] == 3),
        "{states:?}"
    );
    let last = states.last().unwrap();
    assert_eq!(last["streams"]["missing"], 0);
    assert!(last["reached"]["p99Ms"].is_u64() && last["missingSinceMs"].is_null(), "{last}");
    assert!(
        states.iter().zip(&states[1..]).all(|(one, next)| one != next),
        "what did not change is not said again: {states:?}"
    );
    let states = lines("status -w --json");
    assert_eq!(
        (states.len(), &states[0]["flag"], &states[0]["streams"]["confirmed"]),
        (1, &Json::Null, &3.into())
    );
    let states = lines("status chat -w --json");
    assert_eq!((states.len(), &states[0]["flag"]), (1, &"chat".into()));
}

#[test]
fn watching_ends_at_once_when_there_are_no_streams() {
    let server = Server::start();
    let none = "no client has a stream   done\n";
    server.check(("set chat 5% -w", 0, &["realtime-v2 10% -> 5%", none], &["undo"]));
    server.check(("status chat -w", 0, &["  clients  no stream is open\n", none], &[]));
    for user in ["u-2", "u-3"] {
        server.check((&format!("ask chat --user {user}"), 0, &["polling   rule rollout\n"], &[]));
    }
    // So that they asked before the change, as the server counts time.
    std::thread::sleep(Duration::from_secs(1));
    let waits = "no client has a stream   done\n  0 of 2 polling users asked since; the rest get it when they ask again\n";
    server.check(("stop chat -w", 0, &[waits], &[]));
    std::thread::sleep(Duration::from_millis(500));
    server.check(("ask chat --user u-2", 0, &["polling   rule stop\n"], &[]));
    server.check(("status chat -w", 0, &["1 of 2 polling users asked since; "], &[]));

    server.check(("status chat --limit 5s", 2, &[], &["--watch"]));
    server.check(("stop chat -w --limit soon", 2, &[], &["30m, 2h or 7d"]));
    server.check(("stop chta -w", 1, &[], &["did you mean `chat`?"]));
    server.check(("status -w --server http://127.0.0.1:1", 4, &[], &["is it running?"]));
    server.check((
        "status -w --json --limit 100ms --server http://127.0.0.1:1",
        4,
        &[],
        &["is it running?"],
    ));
}

/// A server that hangs holds no command longer than its limit, nor one that a person interrupts.
#[test]
fn a_server_that_hangs_delays_neither_the_limit_nor_an_interrupt() {
    const BY_ITSELF: Duration = Duration::from_secs(12);
    let server = Server::start();
    let clients = clients(&server);
    clients[1].signal("-STOP");
    server.check(("rollback chat", 0, &["back to revision 1"], &["undo: "]));
    for (limit, interrupt, exit) in [("3s", false, 4), ("60s", true, 1)] {
        let mut command = server.command(&format!("status chat -w --limit {limit}"));
        let mut looking = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(looking.stderr.take().unwrap());
        said.read_line(&mut String::new()).unwrap();
        signal(&server.child, "-STOP");
        let begun = Instant::now();
        if interrupt {
            signal(&looking, "-INT");
        }
        assert_eq!(looking.wait().unwrap().code(), Some(exit), "--limit {limit}");
        assert!(begun.elapsed() < BY_ITSELF, "--limit {limit}: {:?}", begun.elapsed());
        signal(&server.child, "-CONT");
    }
}

/// A client that reads a stream and never acknowledges counts as told, and nothing more is said of
/// it.
#[test]
fn clients_that_cannot_acknowledge_are_shown_apart() {
    let server = Server::start_with(&["--max-streams", "1"]);
    let mut stream = TcpStream::connect(server.public.trim_start_matches("http://")).unwrap();
    let body = r#"{"targetingKey":"u-1"}"#;
    write!(
        stream,
        "POST /v1/strategy/chat/watch HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
    std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
    server.check((
        "status",
        0,
        &["streams FULL: 1 of 1; who comes now polls until one ends", "  1 cannot confirm\n"],
        &[],
    ));
    server.check(("stop chat -w", 0, &["1 client was sent it and cannot confirm   done\n"], &[]));

    // A client that finds no room polls.
    let client = Client::start(&server, "ask chat --user u-2 -w");
    client.hears("polling      rule stop      first poll within 4000 ms (by asking)");
    drop(stream);
}

//! The command line and its own server: called through the socket that the data folder names, and
//! sent no token before it proved that it is the server.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::typed::{Server, output, turnout, words};
use crate::support::{Service, flag};

/// A program that took the port of a server, and keeps everything it is sent.
#[derive(Clone)]
struct Thief {
    port: u16,
    heard: Arc<Mutex<String>>,
}

impl Thief {
    /// Answers every request with this text, or as the server at an address does.
    fn on(port: u16, answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> Thief {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let thief = Thief { port: listener.local_addr().unwrap().port(), heard: Arc::default() };
        let heard = thief.heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = stream.read(&mut bytes) {
                    heard.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
                    let answer = answer(&bytes[..read]);
                    // Without a response it closes the connection.
                    if answer.is_empty() || stream.write_all(&answer).is_err() {
                        break;
                    }
                }
            }
        });
        thief
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Answers as the server at an address does.
fn relay(to: String) -> impl Fn(&[u8]) -> Vec<u8> {
    move |request| {
        let mut stream = TcpStream::connect(to.trim_start_matches("http://")).unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = vec![0; 64 * 1024];
        let read = stream.read(&mut bytes).unwrap();
        bytes.truncate(read);
        bytes
    }
}

/// Runs verbs against a place, with the token of a data folder; none of them may reveal that token
/// to the thief.
fn check(thief: &Thief, data: &Path, environment: &[(&str, &str)]) {
    let token = fs::read_to_string(data.join("admin.token")).unwrap();
    for verb in ["status", "stop chat", "token list", "explain chat --user u"] {
        let mut command = turnout();
        command.args(words(verb)).env("TURNOUT_DATA", data).envs(environment.iter().copied());
        let (exit, stdout, stderr) = output(&mut command);
        assert!(exit == 4 || exit == 3, "{verb}: {exit} {stdout}{stderr}");
        assert!(!stderr.contains(token.trim()), "{verb}: {stderr}");
    }
    let heard = thief.heard();
    assert!(
        heard.contains("/v1/hello") && !heard.contains(token.trim()),
        "{}",
        heard.replace(token.trim(), "<admin.token>")
    );
}

#[test]
fn a_program_that_took_the_port_is_sent_no_token() {
    let mut server = Server::start();
    let data = server.home.path().join("data");
    // As a kill leaves it: the folder names an address and a socket where no program listens.
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let port = server.admin.rsplit(':').next().unwrap().parse().unwrap();
    let answers = [
        answer("503 Service Unavailable", "{}"),
        answer("200 OK", "{}"),
        answer(
            "200 OK",
            &format!(r#"{{"address":"127.0.0.1:{port}","proof":"{}"}}"#, "0".repeat(64)),
        ),
        answer("401 Unauthorized", r#"{"code":"unauthenticated"}"#),
        answer("200 OK", &"x".repeat(60_000)),
        b"hello?\r\n\r\n".to_vec(),
        Vec::new(),
    ];
    let current = Arc::new(Mutex::new(Vec::new()));
    let turn = current.clone();
    let thief = Thief::on(port, move |_| turn.lock().unwrap().clone());
    let (localhost, named) = (
        server.admin.replace("127.0.0.1", "localhost"),
        data.join("admin.token").display().to_string(),
    );
    for answer in answers {
        *current.lock().unwrap() = answer;
        check(&thief, &data, &[]);
        check(&thief, &data, &[("TURNOUT_SERVER", &localhost)]);
        check(&thief, &data, &[("TURNOUT_SERVER", &server.admin), ("TURNOUT_TOKEN_FILE", &named)]);
    }
}

/// The nonce is forwarded to the real server, on another port, and its proof is passed back.
#[test]
fn a_program_that_relays_the_proof_is_sent_no_token() {
    let server = Server::start();
    let data = server.home.path().join("data");
    let thief = Thief::on(0, relay(server.admin.clone()));
    check(&thief, &data, &[("TURNOUT_SERVER", &thief.url())]);
}

/// A tunnel is a program that forwards everything; it gets a token that was named for it.
#[test]
fn a_named_token_file_works_through_a_tunnel() {
    let server = Server::start();
    let named = server.home.path().join("data/admin.token").display().to_string();
    let tunnel = Thief::on(0, relay(server.admin.clone()));
    let mut command = turnout();
    command.args(["status"]).env("TURNOUT_SERVER", tunnel.url()).env("TURNOUT_TOKEN_FILE", &named);
    let (exit, stdout, stderr) = output(&mut command);
    assert_eq!(exit, 0, "{stdout}{stderr}");
}

#[test]
fn commands_use_the_socket_that_the_data_folder_names() {
    let server = Server::start();
    let data = server.home.path().join("data");
    let socket = data.join("admin.socket");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let typed = |line: &str, environment: &[(&str, &str)]| {
        let mut command = turnout();
        command.args(words(line)).env("TURNOUT_DATA", &data).envs(environment.iter().copied());
        output(&mut command)
    };
    // The address leads nowhere: only the socket can have answered.
    let addresses = fs::read_to_string(data.join("addresses.json")).unwrap();
    let lost = addresses.replace(&server.admin, "http://127.0.0.1:1");
    fs::write(data.join("addresses.json"), lost).unwrap();
    for line in
        ["status", "set chat 5%", "explain chat --user u", "history", "stop chat", "problems"]
    {
        let (exit, stdout, stderr) = typed(line, &[]);
        assert_eq!(exit, 0, "{line}: {stdout}{stderr}");
    }
    // A named address is asked, not the socket.
    assert_eq!(typed("status", &[("TURNOUT_SERVER", "http://127.0.0.1:2")]).0, 4);
    // Without a socket, by the address; the server proves there that it is the one.
    fs::write(data.join("addresses.json"), addresses).unwrap();
    fs::remove_file(&socket).unwrap();
    let (exit, stdout, stderr) = typed("status chat", &[]);
    assert!(exit == 0 && stdout.contains("stopped"), "{stdout}{stderr}");
}

/// A copy of the folder names the same server, and every tool can make one: the folder contains
/// only regular files.
#[test]
fn the_folder_of_a_running_server_can_be_copied() {
    let server = Server::start();
    let (data, copy) = (server.home.path().join("data"), server.home.path().join("copy"));
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{}", path.display());
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    fs::remove_file(copy.join("addresses.json")).unwrap();
    let (exit, stdout, stderr) = output(turnout().args(["status"]).env("TURNOUT_DATA", &copy));
    assert_eq!(exit, 0, "{stdout}{stderr}");
}

/// A name that another user wrote is not used: that user's program may listen there.
#[test]
fn a_socket_that_another_user_named_is_not_used() {
    let server = Server::start();
    let (data, theirs) = (server.home.path().join("data"), server.home.path().join("theirs"));
    fs::create_dir(&theirs).unwrap();
    for name in ["admin.socket", "admin.token"] {
        fs::copy(data.join(name), theirs.join(name)).unwrap();
    }
    // Without the socket there is an address to ask, where no program listens.
    let addresses = fs::read_to_string(data.join("addresses.json")).unwrap();
    fs::write(
        theirs.join("addresses.json"),
        addresses.replace(&server.admin, "http://127.0.0.1:1"),
    )
    .unwrap();
    let status = || output(turnout().args(["status"]).env("TURNOUT_DATA", &theirs)).0;
    assert_eq!(status(), 0);
    // Only root can give a file away.
    if chown(theirs.join("admin.socket"), Some(65_534), None).is_ok() {
        assert_eq!(status(), 4);
    }
}

#[tokio::test]
async fn the_socket_exists_while_the_server_runs() {
    let mut service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let file = service.data.join("admin.socket");
    let client = || {
        let name = fs::read_to_string(&file).unwrap().trim().replace('@', "\0");
        reqwest::ClientBuilder::new().unix_socket(Path::new(&name)).build().unwrap()
    };
    let first = client();
    let status = async || {
        first
            .get("http://localhost/v1/status")
            .bearer_auth(service.token())
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(status().await, 200);
    assert_eq!(
        first.get("http://localhost/v1/status").send().await.unwrap().status(),
        401,
        "it takes the same token"
    );
    service.crash().await;
    assert!(file.exists(), "a killed server cannot remove the name");
    assert!(
        first.get("http://localhost/healthz").send().await.is_err(),
        "and nothing listens there"
    );
    service.restart().await;
    assert_eq!(client().get("http://localhost/healthz").send().await.unwrap().status(), 200);
    service.stop().await;
    assert!(!file.exists());
}

/// Connects to the socket of a server, so often, and says this.
fn strangers(data: &Path, count: usize, said: &str) -> Vec<UnixStream> {
    let name = fs::read_to_string(data.join("admin.socket")).unwrap();
    let address = SocketAddr::from_abstract_name(name.trim().trim_start_matches('@')).unwrap();
    let connect = |_| {
        let mut stream = UnixStream::connect_addr(&address).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream
    };
    (0..count).map(connect).collect()
}

/// Programs that hang hold every seat of the socket. An order finds one, as on the TCP listener.
#[test]
fn silent_connections_to_the_socket_make_room_for_a_command() {
    let server = Server::start();
    let data = server.home.path().join("data");
    // The address leads nowhere: only the socket can have answered.
    let addresses = fs::read_to_string(data.join("addresses.json")).unwrap();
    let lost = addresses.replace(&server.admin, "http://127.0.0.1:1");
    fs::write(data.join("addresses.json"), lost).unwrap();
    for said in ["", "POST /v1/flags/chat/stop HTTP/1.1\r\nHost: "] {
        let hanging = strangers(&data, 200, said);
        let (exit, stdout, stderr) =
            output(turnout().args(["stop", "chat"]).env("TURNOUT_DATA", &data));
        assert_eq!(exit, 0, "{said}: {stdout}{stderr}");
        drop(hanging);
    }
}

/// The socket is one at which nothing answers: the system connects every caller.
#[test]
fn commands_use_the_address_if_the_socket_does_not_answer() {
    let server = Server::start();
    let data = server.home.path().join("data");
    let name = format!("turnout-admin-{:032x}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _deaf = UnixListener::bind_addr(&address).unwrap();
    fs::write(data.join("admin.socket"), format!("@{name}\n")).unwrap();
    let typed = |line: &str| output(turnout().args(words(line)).env("TURNOUT_DATA", &data));
    let (exit, stdout, stderr) = typed("stop chat");
    assert_eq!(exit, 0, "{stdout}{stderr}");
    // And there only to the server.
    let thief = Thief::on(0, |_| answer("200 OK", "{}"));
    let addresses = fs::read_to_string(data.join("addresses.json")).unwrap();
    fs::write(data.join("addresses.json"), addresses.replace(&server.admin, &thief.url())).unwrap();
    check(&thief, &data, &[]);
}

/// A head that does not come ends as on the TCP listener; a client that rests does not.
#[tokio::test]
async fn an_unfinished_head_on_the_socket_is_closed() {
    let service = Service::start(&[("chat.yaml", &flag("chat", ""))]).await;
    let data = service.data.clone();
    let ended = tokio::task::spawn_blocking(move || {
        let mut resting = strangers(&data, 1, "");
        let mut begun = strangers(&data, 1, "GET /healthz HTTP/1.1\r\n");
        begun[0].set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let ended = begun[0].read(&mut [0; 64]);
        let question = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        resting[0].write_all(question.as_bytes()).unwrap();
        let mut answered = String::new();
        resting[0].read_to_string(&mut answered).unwrap();
        assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
        ended
    });
    assert_eq!(ended.await.unwrap().unwrap(), 0, "it is hung up on");
}

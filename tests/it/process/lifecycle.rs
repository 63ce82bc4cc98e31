//! Start, reload and end of the program: signals are received all along, and work that may hang is
//! left behind.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use aws_lc_rs::digest;
use tempfile::TempDir;

use crate::support::program::{Program, home, make_fifo};
use crate::support::{Save, flag, wait_until};

const OPEN: &str = "rollout: { realtime-v2: 100% }";
const SESSIONS: [(&str, &str); 3] = [
    ("TURNOUT_SESSION_ALGORITHM", "HS256"),
    ("TURNOUT_SESSION_ISSUER", "https://issuer.example.com"),
    ("TURNOUT_SESSION_AUDIENCE", "turnout"),
];

fn one_flag() -> TempDir {
    home(&[("chat.yaml", &flag("chat", OPEN))])
}

/// A line of a file of server keys.
fn key_line(key: &str) -> String {
    let hash = digest::digest(&digest::SHA256, key.as_bytes());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("shop {hex}\n")
}

async fn status_with_key(program: &Program, key: &str) -> u16 {
    let asked =
        program.client.post(program.url("/v1/strategy/chat")).header("x-api-key", key).body("{}");
    asked.send().await.unwrap().status().as_u16()
}

/// Wherever a file may be named or looked for, a pipe without a writer stands.
#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_blocks_nothing() {
    for name in [
        "keys",
        "session",
        "flags/feed.yaml",
        "data/admin.token",
        "data/last-good",
        "data/pending.journal",
        "data/lock",
    ] {
        let home = one_flag();
        fs::create_dir(home.path().join("data")).unwrap();
        let path = home.path().join(name);
        make_fifo(&path);
        let setting = match name {
            "keys" => Some(("TURNOUT_SERVER_KEYS_FILE", path.to_str().unwrap())),
            "session" => Some(("TURNOUT_SESSION_KEYS", path.to_str().unwrap())),
            _ => None,
        };
        let mut settings: Vec<_> = setting.into_iter().collect();
        settings.extend(SESSIONS.iter().filter(|_| name == "session"));
        let path = path.to_str().unwrap().to_owned();
        let mut program = Program::start(home, &settings);
        program.serves().await;
        if setting.is_some() || name.starts_with("flags/") {
            program.says("not a regular file").await;
        }
        assert_eq!(
            program.client.get(program.url("/healthz")).send().await.unwrap().status(),
            200,
            "{path}"
        );
        program.signal("TERM");
        assert_eq!(program.exit().await, Some(0), "{path}: {}", program.said());
    }
}

#[tokio::test]
async fn keys_are_read_again_after_a_pipe_replaced_their_file() {
    let home = one_flag();
    let keys = home.path().join("keys");
    fs::write(&keys, key_line("one")).unwrap();
    let program = Program::start(home, &[("TURNOUT_SERVER_KEYS_FILE", keys.to_str().unwrap())]);
    program.serves().await;
    assert_eq!(status_with_key(&program, "one").await, 200);
    fs::remove_file(&keys).unwrap();
    make_fifo(&keys);
    program.says("not a regular file").await;
    assert_eq!(status_with_key(&program, "one").await, 200, "the last good keys stay");
    fs::remove_file(&keys).unwrap();
    fs::write(&keys, key_line("two")).unwrap();
    program.says("is good again: 1 key").await;
    assert_eq!(
        (status_with_key(&program, "one").await, status_with_key(&program, "two").await),
        (401, 200)
    );
}

#[test]
fn a_webhook_secret_that_is_not_a_file_is_refused_before_anything_starts() {
    let home = one_flag();
    let secret = home.path().join("secret");
    make_fifo(&secret);
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command
        .env("TURNOUT_WEBHOOK_URL", "https://hooks.example.com/")
        .env("TURNOUT_WEBHOOK_SECRET_FILE", &secret);
    let output = command.current_dir(home.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("not a regular file"), "{stderr}");
}

/// The issuer accepts the request and never answers.
#[tokio::test]
async fn a_slow_start_ends_at_a_signal() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks.json", silent.local_addr().unwrap());
    for signal in ["TERM", "INT"] {
        let mut settings = vec![("TURNOUT_SESSION_KEYS", url.as_str())];
        settings.extend(SESSIONS);
        settings.retain(|(name, _)| *name != "TURNOUT_SESSION_ALGORITHM");
        settings.push(("TURNOUT_SESSION_ALGORITHM", "ES256"));
        let mut program = Program::start(one_flag(), &settings);
        let _asked = silent.accept().unwrap();
        program.signal("HUP");
        program.signal(signal);
        assert_eq!(program.exit().await, Some(0), "{}", program.said());
        program.says("stopping before the start is complete").await;
        program.says("turnout::app: stopped").await;
        assert!(!program.said().contains("serving"), "{}", program.said());
    }
}

/// A terminal that closes, `systemctl reload`, logrotate.
#[tokio::test]
async fn a_hang_up_reloads_keys_and_flags() {
    let home = one_flag();
    let keys = home.path().join("keys");
    fs::write(&keys, key_line("one")).unwrap();
    let mut program = Program::start(home, &[("TURNOUT_SERVER_KEYS_FILE", keys.to_str().unwrap())]);
    program.serves().await;
    let mut stream = TcpStream::connect(program.url("").trim_start_matches("http://")).unwrap();
    write!(
        stream,
        "POST /v1/strategy/chat/watch HTTP/1.1\r\nHost: x\r\nContent-Length: 22\r\n\r\n{{\"targetingKey\":\"u-1\"}}"
    )
    .unwrap();
    assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
    program.says("then change").await;
    program.signal("HUP");
    // The result is logged, also where nothing is new.
    program.says_times("1 key from", 2).await;
    program.says("reloaded: the flags folder was read; revision 1 is live, no problems").await;
    fs::write(&keys, key_line("two")).unwrap();
    Save::Rename.save(
        &program.path("flags/chat.yaml"),
        &flag("chat", OPEN).replace("enabled: true", "enabled: false"),
    );
    program.signal("HUP");
    wait_until("the new key", async || status_with_key(&program, "two").await == 200).await;
    wait_until("the save", async || program.strategy("chat", "u-1").await == "polling").await;
    assert!(program.is_running());
    program.signal("TERM");
    assert_eq!(program.exit().await, Some(0));
    let mut rest = String::new();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("goodbye"), "the stream lived through both reloads: {rest}");
}

/// A request whose body does not arrive delays a stop up to its limit.
#[tokio::test]
async fn a_second_signal_ends_a_stop_at_once() {
    for second in ["TERM", "INT"] {
        let mut program = Program::start(one_flag(), &[]);
        program.serves().await;
        let mut asking = TcpStream::connect(program.url("").trim_start_matches("http://")).unwrap();
        write!(asking, "POST /v1/strategy/chat HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
            .unwrap();
        // The server has read the head, and waits for the body.
        assert!(asking.read(&mut [0; 64]).unwrap() > 0);
        program.signal("TERM");
        program.says("stopping: finishing what was asked").await;
        program.signal(second);
        assert_eq!(program.exit().await, Some(4), "{}", program.said());
        program.says("stopped at once, by a second signal").await;
    }
}

//! `turnout backup` and `turnout restore`: nothing that was acknowledged is missing, nothing that
//! was stopped runs again, and no secret travels.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use reqwest::Client;
use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::task::spawn_blocking;

use super::screens::on_a_terminal;
use crate::feeds::{Answer, numbered};
use crate::support::typed::{Server, output};
use crate::support::wait_until;

/// A server whose verbs are run beside the test's own tasks.
struct Bench {
    server: Server,
    client: Client,
}

impl Bench {
    fn start() -> Bench {
        Bench { server: Server::start(), client: Client::new() }
    }

    fn path(&self, name: &str) -> String {
        self.server.home.path().join(name).display().to_string()
    }

    fn data(&self, name: &str) -> std::path::PathBuf {
        self.server.home.path().join("data").join(name)
    }

    async fn run(&self, line: &str) -> (i32, String, String) {
        let mut command = self.server.command(line);
        spawn_blocking(move || output(&mut command)).await.unwrap()
    }

    #[track_caller]
    fn check(&self, (exit, stdout, stderr): (i32, String, String), wanted: i32, texts: &[&str]) {
        assert_eq!(exit, wanted, "{stdout}{stderr}");
        for text in texts {
            assert!(stdout.contains(text) || stderr.contains(text), "{text}: {stdout}{stderr}");
        }
    }

    fn call(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let token = fs::read_to_string(self.data("admin.token")).unwrap();
        let url = format!("{}{path}", self.server.admin);
        self.client.request(method, url).bearer_auth(token.trim())
    }

    async fn poll(&self, stream: &str, query: &str) -> Answer {
        let path = format!("/v1/feeds/chat/{stream}{query}");
        Answer::of(self.call(reqwest::Method::GET, &path).send().await.unwrap()).await
    }

    async fn poll_as(&self, session: &str) -> u16 {
        let url = format!("{}/v1/feeds/chat/b-1", self.server.public);
        let polled = self.client.get(url).bearer_auth(session).send().await.unwrap();
        polled.status().as_u16()
    }

    async fn is_stopped(&self, flag: &str) -> bool {
        let status = self.call(reqwest::Method::GET, "/v1/status").send().await.unwrap();
        let status: Json = status.json().await.unwrap();
        let flags = status["flags"].as_array().unwrap();
        let of = flags.iter().find(|row| row["flag"] == flag).unwrap();
        of["live"].as_str().unwrap().starts_with("STOPPED")
    }

    /// Publishes to a stream, one event after another, until told to end; counts what was taken.
    fn publish(
        &self,
        stream: &str,
        taken: Arc<AtomicU32>,
        ends: Arc<AtomicBool>,
    ) -> tokio::task::JoinHandle<()> {
        let path = format!("/v1/feeds/chat/{stream}");
        let (call, path) = (self.call(reqwest::Method::POST, &path), path);
        tokio::spawn(async move {
            while !ends.load(SeqCst) {
                let id = format!("e-{}", taken.load(SeqCst) + 1);
                let body = json!({ "events": [{ "id": id, "type": "t", "data": { "id": id } }] });
                let sent = call.try_clone().unwrap().body(body.to_string()).send().await.unwrap();
                assert_eq!(sent.status(), 200, "{path}");
                taken.fetch_add(1, SeqCst);
            }
        })
    }
}

const STREAMS: [&str; 4] = ["b-1", "b-2", "b-3", "b-4"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_and_what_was_stopped_stays() {
    let mut bench = Bench::start();
    let taken: Vec<Arc<AtomicU32>> = STREAMS.iter().map(|_| Arc::default()).collect();
    let ends: Arc<AtomicBool> = Arc::default();
    let publishers: Vec<_> = STREAMS
        .iter()
        .zip(&taken)
        .map(|(stream, taken)| bench.publish(stream, taken.clone(), ends.clone()))
        .collect();
    let counts = || taken.iter().map(|taken| taken.load(SeqCst)).collect::<Vec<_>>();
    wait_until("events are taken", async || counts().iter().all(|count| *count >= 20)).await;
    let acknowledged = counts();
    let backup = bench.path("backup");
    let done = bench.run(&format!("backup {backup}")).await;
    bench.check(done, 0, &["4 streams with ", "all of it was read", "turnout restore "]);
    let copied = counts();
    wait_until("more events are taken", async || {
        counts().iter().zip(&copied).all(|(now, then)| *now > then + 5)
    })
    .await;
    ends.store(true, SeqCst);
    for publisher in publishers {
        publisher.await.unwrap();
    }

    let files: Vec<String> = names(Path::new(&backup));
    assert_eq!(
        files,
        ["backup.json", "events.db", "pending.journal", "revoked-sessions", "turnout.db"]
    );
    assert_eq!(fs::metadata(&backup).unwrap().mode() & 0o777, 0o700);
    let token = fs::read_to_string(bench.data("admin.token")).unwrap();
    for name in &files {
        let path = Path::new(&backup).join(name);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "{name}");
        let bytes = fs::read(&path).unwrap();
        let secret = token.trim().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{name} has the token");
    }
    let again = bench.run(&format!("backup {backup}")).await;
    bench.check(again, 3, &["backup is there already; name a new folder"]);
    let running = bench.run(&format!("restore {backup} --replace")).await;
    bench.check(running, 3, &["another turnout is using the data folder", "stop it first"]);

    let late = bench.poll("b-1", "?cursor=now").await.cursor();
    let stopped = bench.run("stop chat").await;
    bench.check(stopped, 0, &[]);
    bench.server.stop();
    let unasked = bench.run(&format!("restore {backup}")).await;
    bench.check(unasked, 3, &["has the state of a server; --replace restores all the same"]);
    let restored = bench.run(&format!("restore {backup} --replace")).await;
    bench.check(
        restored,
        0,
        &["a start:  holds it", "--accept-database", "that had more events than the backup begin"],
    );
    let kept = names(&bench.data(""));
    for name in ["turnout.db.replaced-", "events.db.replaced-"] {
        assert!(kept.iter().any(|file| file.starts_with(name)), "{name}: {kept:?}");
    }

    bench.server.start_again(&[]);
    assert!(bench.is_stopped("chat").await, "held: the stop of after the backup is in force");
    let held = bench.run("status").await;
    bench.check(held, 0, &["NOT BELIEVED", "first writes every stop, lower share and revocation"]);
    let held = bench.run("problems").await;
    bench.check(
        held,
        1,
        &[
            "turnout.db in the data folder\n",
            "/data/turnout.db back, or start once with --accept-database",
        ],
    );
    let held = bench.run("set search 1%").await;
    bench.check(held, 0, &["it is saved once the database is accepted or the right one is back"]);
    let asked = on_a_terminal(&bench.server, "resume chat", "1");
    let is_said = asked.contains("the database is not accepted (") && !asked.contains("[y/N]");
    assert!(is_said, "nothing is asked that cannot be done: {asked}");
    let held = bench.run("resume chat --reason x").await;
    bench.check(held, 4, &["it is not accepted: "]);
    let reset = bench.poll("b-1", &format!("?cursor={late}")).await;
    assert_eq!((reset.status, reset.code()), (409, "stream-reset"));
    for (stream, least) in STREAMS.iter().zip(acknowledged) {
        let page = bench.poll(stream, "?limit=1000").await;
        let ids = page.ids();
        assert!(ids.len() >= least as usize, "{stream}: {} of {least}", ids.len());
        assert_eq!(ids, numbered(1..=ids.len() as u32), "{stream}");
    }
    bench.server.stop();
    bench.server.start_again(&["--accept-database"]);
    assert!(bench.is_stopped("chat").await, "accepted: the stop is in the database");
    assert!(!bench.is_stopped("search").await);
    let sound = bench.run("history --verify").await;
    bench.check(sound, 0, &["unaltered: "]);
    bench.server.stop();
    bench.server.start_again(&[]);
    assert!(bench.is_stopped("chat").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_machine_serves_a_backup_with_what_was_pending() {
    let (mut bench, backup, cursor) = with_a_stop_in_the_journal_alone().await;
    // A folder that has nothing.
    fs::rename(bench.path("data"), bench.path("gone")).unwrap();
    let restored = bench.run(&format!("restore {backup}")).await;
    bench.check(restored, 0, &["a start:  serves it", "so every stream begins anew"]);
    assert_eq!(fs::metadata(bench.path("data")).unwrap().mode() & 0o777, 0o700);
    bench.server.start_again(&[]);
    assert!(bench.is_stopped("chat").await);
    assert!(!bench.is_stopped("search").await);
    assert_eq!(bench.poll("b-1", &format!("?cursor={cursor}")).await.code(), "stream-reset");
    assert_eq!(bench.poll("b-1", "").await.ids(), ["e-1"]);
    let problems = bench.run("problems").await;
    assert!(!problems.1.contains("held"), "{problems:?}");
}

/// A server was started in the folder before the backup was put into it, and may have stopped
/// something itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pending_holds_also_where_a_server_ran_before_the_restore() {
    for stops_here in [false, true] {
        let (mut bench, backup, _) = with_a_stop_in_the_journal_alone().await;
        fs::rename(bench.path("data"), bench.path("gone")).unwrap();
        bench.server.start_again(&[]);
        if stops_here {
            bench.check(bench.run("stop search").await, 0, &[]);
        }
        bench.server.stop();
        bench.check(bench.run(&format!("restore {backup} --replace")).await, 0, &[]);
        // A second time changes nothing.
        bench.check(bench.run(&format!("restore {backup} --replace")).await, 0, &[]);
        bench.server.start_again(&["--accept-database"]);
        assert!(bench.is_stopped("chat").await, "{stops_here}");
        assert_eq!(bench.is_stopped("search").await, stops_here);
    }
}

/// A copy that cannot be written leaves everything as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_fails_has_replaced_nothing() {
    let mut bench = Bench::start();
    bench.check(bench.run("publish chat b-1 --id e-1 --data 1").await, 0, &[]);
    let backup = bench.path("backup");
    bench.check(bench.run(&format!("backup {backup}")).await, 0, &[]);
    bench.server.stop();
    let before = fs::metadata(bench.data("turnout.db")).unwrap().ino();
    fs::create_dir_all(bench.data("events.db.new/in-the-way")).unwrap();
    let restored = bench.run(&format!("restore {backup} --replace")).await;
    bench.check(restored, 4, &["events.db.new"]);
    assert_eq!(fs::metadata(bench.data("turnout.db")).unwrap().ino(), before);
}

/// A backup that was taken while another program held the database: its stop of `chat` is in the
/// journal alone. The server is stopped.
async fn with_a_stop_in_the_journal_alone() -> (Bench, String, String) {
    let mut bench = Bench::start();
    let published = bench.run("publish chat b-1 --id e-1 --data 1 --readers u-1").await;
    bench.check(published, 0, &[]);
    let cursor = bench.poll("b-1", "").await.cursor();
    // Another program holds the database, so this stop is in the journal alone.
    let database = SqliteConnectOptions::new().filename(bench.data("turnout.db"));
    let mut holder = database.connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
    let stopped = bench.run("stop chat").await;
    assert_eq!(stopped.0, 0, "{stopped:?}");
    let backup = bench.path("backup");
    let done = bench.run(&format!("backup {backup}")).await;
    bench.check(done, 0, &["1 change not in the database yet"]);
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
    bench.server.stop();
    (bench, backup, cursor)
}

/// The keys of sessions move to another machine with the backup. What was revoked stays so, whether or
/// not that machine has revocations of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_revives_no_session() {
    for has_its_own in [false, true] {
        let mut bench = Bench::start();
        bench.check(bench.run("publish chat b-1 --id e-1 --data 1 --readers u-1").await, 0, &[]);
        let session = bench.run("session u-1").await;
        assert_eq!(session.0, 0, "{session:?}");
        let session = session.1.trim().to_owned();
        assert_eq!(bench.poll_as(&session).await, 200);
        bench.check(bench.run("session u-1 --revoke").await, 0, &["is refused from now on"]);
        assert_eq!(bench.poll_as(&session).await, 401);
        let backup = bench.path("backup");
        bench.check(bench.run(&format!("backup {backup}")).await, 0, &[]);
        bench.server.stop();
        fs::rename(bench.path("data"), bench.path("gone")).unwrap();
        if has_its_own {
            bench.server.start_again(&[]);
            bench.check(bench.run("session u-2 --revoke").await, 0, &[]);
            bench.server.stop();
        }
        bench.check(bench.run(&format!("restore {backup} --replace")).await, 0, &[]);
        fs::copy(Path::new(&bench.path("gone")).join("issuer.keys"), bench.data("issuer.keys"))
            .unwrap();
        bench.server.start_again(&["--accept-database"]);
        assert_eq!(bench.poll_as(&session).await, 401, "{has_its_own}");
        let anew = bench.run("session u-1").await.1;
        assert_eq!(bench.poll_as(anew.trim()).await, 200, "{has_its_own}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_whole_is_neither_kept_nor_restored() {
    let mut bench = Bench::start();
    for n in 1..=40 {
        let line = format!("publish chat b-1 --id e-{n} --data '\"{}\"'", "x".repeat(2_000));
        bench.check(bench.run(&line).await, 0, &[]);
    }
    let backup = bench.path("backup");
    bench.check(bench.run(&format!("backup {backup}/")).await, 0, &[]);
    let run = async |line: String| bench.run(&line).await;
    for (line, exit, text) in [
        (format!("backup {}", bench.path("none/backup")), 4, "cannot make the folder"),
        (format!("backup {} --data /not/there", bench.path("b-2")), 3, "has no turnout.db"),
        (format!("restore {}", bench.path("flags")), 3, "name a folder that `turnout backup` made"),
        (format!("restore {} --replace", bench.path("data")), 3, "name a folder that `turnout"),
    ] {
        let done = run(line).await;
        bench.check(done, exit, &[text]);
    }
    // Copies that were altered since.
    let other = bench.path("other");
    for (name, offset, text) in [
        ("turnout.db", 4096 * 2 + 100, "turnout.db: it is not as it was taken"),
        ("events.db", 4096 * 6 + 50, "events.db: it is not as it was taken"),
        ("pending.journal", 100_000, "pending.journal: it is not as it was taken"),
        ("backup.json", 0, "backup.json"),
    ] {
        copy_folder(Path::new(&backup), Path::new(&other));
        let path = Path::new(&other).join(name);
        let mut bytes = fs::read(&path).unwrap();
        let end = (offset + 3000).min(bytes.len());
        bytes[offset..end].fill(0x55);
        fs::write(&path, bytes).unwrap();
        let target = bench.path("target");
        let refused = run(format!("restore {other} --data {target}")).await;
        assert!([3, 4].contains(&refused.0), "{name}: {refused:?}");
        assert!(refused.2.contains(text), "{name}: {refused:?}");
        assert!(!Path::new(&target).exists(), "{name}: nothing was made");
    }
    bench.server.stop();
    // Events that do not read: everything else is backed up.
    let events = bench.data("events.db");
    let mut bytes = fs::read(&events).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x55);
    fs::write(&events, bytes).unwrap();
    let second = bench.path("second");
    let failed = bench.run(&format!("backup {second}")).await;
    bench.check(failed, 4, &["events.db: ", "--without-events backs up everything else"]);
    let made = names(bench.server.home.path());
    assert!(!made.iter().any(|name| name.starts_with("second")), "{made:?}");
    let without = bench.run(&format!("backup {second} --without-events")).await;
    bench.check(without, 0, &["no events"]);
    let restored = bench.run(&format!("restore {second} --replace")).await;
    bench.check(restored, 0, &["a start:  serves it"]);
    assert!(events.exists(), "events that are not in the backup stay");
    // A database whose newest state nothing else knows does not go.
    bench.server.start_again(&[]);
    bench.check(bench.run("stop chat").await, 0, &[]);
    bench.server.stop();
    for name in ["last-good", "last-good.1"] {
        let _ = fs::remove_file(bench.data(name));
    }
    let unknown = bench.run(&format!("restore {second} --replace")).await;
    bench.check(unknown, 3, &["stops made since would be forgotten. Start the server there"]);
    bench.server.start_again(&[]);
    bench.server.stop();
    let restored = bench.run(&format!("restore {second} --replace")).await;
    bench.check(restored, 0, &["a start:  holds it"]);
    bench.server.start_again(&["--accept-database"]);
    assert!(bench.is_stopped("chat").await);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn copy_folder(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

//! One stop in one mix: brings it about, measures, kills the server, starts it again in the same
//! mix and looks.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::mixes::{Database, Mix};
use crate::server::{Home, Server};
use crate::{Run, flag};

const QUESTION: &str = r#"{"targetingKey":"u-1"}"#;
/// Longer than this and the state will not come.
const PATIENCE: Duration = Duration::from_secs(30);
const SMALL_DISK: &str = "size=24m";

pub struct Seen {
    pub wait_ms: f64,
    pub status: u16,
    pub told: Json,
    pub holds_after_restart: bool,
    pub crowd: usize,
}

pub fn stop(run: &Run, mix: Mix) -> Result<Seen, String> {
    let home = Home::new(&[("lane.yaml", &flag("lane", "rollout: { realtime-v2: 100% }"))]);
    let disk = if mix.full { Some(Filled::mount(&home)?) } else { None };
    let server = run.program.start(&home)?;
    reach("a last good state", || Ok(home.data.join("last-good").exists()))?;
    // On a full disk the state of before must be there, so the change of it comes first.
    if mix.broken_file {
        home.save("lane.yaml", "version: 1\nflag: lane\nenabled: [\n");
        let mut client = server.client()?;
        reach("a problem", || {
            let ready = client.get("/readyz").map_err(|error| error.to_string())?;
            Ok(ready.json()["problems"].as_u64().is_some_and(|problems| problems > 0))
        })?;
    }
    let lock = match mix.database {
        Database::Up => None,
        Database::Gone => {
            move_away(&home)?;
            None
        }
        Database::Locked => Some(Locked::take(&home)?),
    };
    if let Some(disk) = &disk {
        disk.fill()?;
    }
    let crowd = Crowd::gather(&server, mix.crowd)?;
    let (wait_ms, status, told) = measure(&server)?;
    let open = crowd.leave();
    let before = (server.public, server.admin);
    server.kill();
    let server = if disk.is_some() {
        run.program.start_at(&home, before)?
    } else {
        run.program.start(&home)?
    };
    let answer = server.client()?.ask("lane", QUESTION).map_err(|error| error.to_string())?;
    drop((server, lock, disk));
    Ok(Seen {
        wait_ms,
        status,
        told,
        holds_after_restart: answer.json()["rule"] == "stop",
        crowd: open,
    })
}

/// What is answered when the server is killed as soon as it said that a stop is committed, and the
/// database is gone at the next start.
pub fn stop_and_lose(run: &Run) -> Result<Json, String> {
    let home = Home::new(&[("lane.yaml", &flag("lane", "rollout: { realtime-v2: 100% }"))]);
    let server = run.program.start(&home)?;
    reach("a last good state", || Ok(home.data.join("last-good").exists()))?;
    let told = server
        .operator()?
        .order("lane", "stop", None, "")
        .map_err(|error| format!("stop: {error}"))?;
    server.kill();
    if told.status != 200 {
        return Err(format!("stop was told {} {}", told.status, told.json()));
    }
    move_away(&home)?;
    let server = run.program.start(&home)?;
    Ok(server.client()?.ask("lane", QUESTION).map_err(|error| error.to_string())?.json())
}

/// From the sending of the stop to the first answer that obeys it.
fn measure(server: &Server) -> Result<(f64, u16, Json), String> {
    let mut operator = server.operator()?;
    let mut client = server.client()?;
    let before = client.ask("lane", QUESTION).map_err(|error| error.to_string())?.json();
    if before["rule"] == "stop" {
        return Err("it was stopped before".to_owned());
    }
    let began = Instant::now();
    let ordered = thread::spawn(move || operator.order("lane", "stop", None, ""));
    let wait_ms = loop {
        match client.ask("lane", QUESTION) {
            Ok(answer) if answer.json()["rule"] == "stop" => {
                break began.elapsed().as_secs_f64() * 1000.0;
            }
            Ok(_) => {}
            // The longest idle connection makes room for new ones: it may be this one.
            Err(_) => client = server.client()?,
        }
        if began.elapsed() > PATIENCE {
            return Err("the stop never came into force".to_owned());
        }
    };
    let told = ordered
        .join()
        .map_err(|_| "the operator panicked")?
        .map_err(|error| format!("stop: {error}"))?;
    Ok((wait_ms, told.status, told.json()))
}

fn reach(what: &str, mut holds: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let began = Instant::now();
    while !holds()? {
        if began.elapsed() > PATIENCE {
            return Err(format!("never came: {what}"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn move_away(home: &Home) -> Result<(), String> {
    let away = home.data.join("away");
    fs::create_dir(&away).map_err(|error| error.to_string())?;
    for name in ["turnout.db", "turnout.db-wal", "turnout.db-shm"] {
        let _ = fs::rename(home.data.join(name), away.join(name));
    }
    Ok(())
}

/// The database, held for writing as another program would hold it.
struct Locked {
    _connection: SqliteConnection,
    _runtime: tokio::runtime::Runtime,
}

impl Locked {
    fn take(home: &Home) -> Result<Locked, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let options = SqliteConnectOptions::new().filename(home.data.join("turnout.db"));
        let connection = runtime.block_on(async {
            let mut connection = options.connect().await?;
            connection.execute("BEGIN IMMEDIATE").await?;
            Ok::<_, sqlx::Error>(connection)
        });
        let connection =
            connection.map_err(|error| format!("cannot lock the database: {error}"))?;
        Ok(Locked { _connection: connection, _runtime: runtime })
    }
}

/// A small disk of its own under the data folder, taken away when this is dropped.
pub struct Filled(PathBuf);

impl Filled {
    /// Or why not.
    pub fn is_possible() -> Result<(), String> {
        let home = Home::new(&[]);
        Filled::mount(&home).map(drop)
    }

    fn mount(home: &Home) -> Result<Filled, String> {
        fs::create_dir_all(&home.data).map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs"])
            .arg(&home.data)
            .stderr(Stdio::null());
        match mount.status() {
            Ok(status) if status.success() => Ok(Filled(home.data.clone())),
            _ => Err("a small disk may not be mounted here; needs root".to_owned()),
        }
    }

    /// To the last byte.
    fn fill(&self) -> Result<(), String> {
        let mut file = File::create(self.0.join("filler")).map_err(|error| error.to_string())?;
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        Ok(())
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.0).status();
    }
}

/// Connections that are open and ask, each again and again; one that is closed comes anew.
struct Crowd {
    over: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Crowd {
    fn gather(server: &Server, size: usize) -> Result<Crowd, String> {
        let (over, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut crowd = Crowd { over: over.clone(), open: open.clone(), thread: None };
        if size == 0 {
            return Ok(crowd);
        }
        let room = rlimit::Resource::NOFILE.get_soft().unwrap_or(1024).saturating_sub(500) as usize;
        let (size, address) = (size.min(room), server.public);
        crowd.thread = Some(thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build()
            else {
                return;
            };
            runtime.block_on(async move {
                for one in 0..size {
                    tokio::spawn(member(address, over.clone(), open.clone(), one));
                }
                while !over.load(Relaxed) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        }));
        // Most of it is there; the rest is still opening.
        let there = crowd.open.clone();
        reach("a crowd", || Ok(there.load(Relaxed) >= size * 8 / 10))?;
        Ok(crowd)
    }

    fn leave(mut self) -> usize {
        let open = self.open.load(Relaxed);
        self.end();
        open
    }

    fn end(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.end();
    }
}

async fn member(
    address: std::net::SocketAddr,
    over: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
    one: usize,
) {
    let request = format!(
        "POST /v1/strategy/lane HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n{QUESTION}",
        QUESTION.len()
    );
    // They come over some seconds, and each asks every few.
    tokio::time::sleep(Duration::from_micros(one as u64 * 150)).await;
    while !over.load(Relaxed) {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            open.fetch_add(1, Relaxed);
            let mut answer = [0; 4096];
            while stream.write_all(request.as_bytes()).await.is_ok()
                && stream.read(&mut answer).await.is_ok_and(|read| read > 0)
            {
                tokio::time::sleep(Duration::from_millis(3_000 + one as u64 % 997)).await;
            }
            open.fetch_sub(1, Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

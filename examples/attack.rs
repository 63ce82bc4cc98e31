//! The long form of `tests/attacks.rs`, run by hand through `scripts/attack`: a real server in a process of its own, attackers in others,
//! and honest callers at a fixed rate whose waits are measured before, during and after each attack. One JSON line on stdout; exit
//! code 1 if an honest caller got no answer or the server died. Loopback only.
//!
//! `attack [--sockets N] [--seconds S] [KIND…]`; the attackers are this program again, as `attack siege KIND ADDRESS N S`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

/// What attackers do, and how many of them there are at most. The last ones come again and again; more of them would measure how fast
/// they are, and not what each of them costs.
const KINDS: [(&str, usize); 9] = [
    ("idle", 50_000),
    ("asked-then-idle", 50_000),
    ("half-head", 50_000),
    ("drip-body", 50_000),
    ("never-read", 500),
    ("64-KiB-head", 50),
    ("101-headers", 50),
    ("endless-chunks", 50),
    ("deep-json", 50),
];
/// How long an attacker waits before it comes again.
const AGAIN: Duration = Duration::from_millis(100);
/// How fast they come, from each process.
const ARRIVALS: (usize, Duration) = (10, Duration::from_millis(10));
/// A process of attackers holds at most so many sockets.
const SOCKETS_A_PROCESS: usize = 10_000;
const CALLERS: usize = 8;
const CALLS_A_SECOND: u64 = 50;
const QUIET: Duration = Duration::from_secs(2);
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);
const QUESTION: &str = "{\"targetingKey\":\"u-1\"}";

fn main() {
    let _ = rlimit::increase_nofile_limit(1 << 20);
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("siege") => siege(&arguments[1..]),
        _ => std::process::exit(if report(&arguments) { 0 } else { 1 }),
    }
}

fn report(arguments: &[String]) -> bool {
    let (mut sockets, mut seconds, mut kinds) = (500, 3, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--sockets" => sockets = rest.next().and_then(|n| n.parse().ok()).expect("--sockets N"),
            "--seconds" => seconds = rest.next().and_then(|n| n.parse().ok()).expect("--seconds S"),
            kind => kinds.push(kind.to_owned()),
        }
    }
    let mut server = Server::start();
    let callers = Callers::start(server.address);
    let mut attacks = Vec::new();
    for (kind, at_most) in KINDS.into_iter().filter(|(kind, _)| kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind)) {
        let count = at_most.min(sockets);
        eprintln!("{kind}: {count} sockets for {seconds} s");
        attacks.push(attack(&server, &callers, kind, count, seconds));
    }
    let alive = server.child.try_wait().is_ok_and(|ended| ended.is_none());
    let refused = callers.tally.refused.load(Relaxed);
    println!("{}", json!({ "serverAlive": alive, "refused": refused, "attacks": attacks }));
    alive && refused == 0
}

fn attack(server: &Server, callers: &Callers, kind: &str, count: usize, seconds: u64) -> Json {
    let rss_before = server.rss_kib();
    let before = callers.p99_over(QUIET);
    let reconnects = callers.tally.reconnects.load(Relaxed);
    let began = Instant::now();
    let mut sieges: Vec<Child> = (0..count.div_ceil(SOCKETS_A_PROCESS))
        .map(|process| {
            let part = (count - process * SOCKETS_A_PROCESS).min(SOCKETS_A_PROCESS);
            Command::new(env::current_exe().unwrap())
                .args(["siege", kind, &server.address.to_string(), &part.to_string(), &seconds.to_string()])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    // Each says so when it has enough. That they all go at once is an attack of its own, with waits of its own.
    let enough: Vec<_> = sieges.iter_mut().filter_map(|siege| siege.stdout.take()).map(BufReader::new).collect();
    let enough = thread::spawn(move || {
        enough.into_iter().for_each(|mut said| drop(said.read_line(&mut String::new())));
        Instant::now()
    });
    let mut rss_peak = rss_before;
    while sieges.iter_mut().any(|siege| siege.try_wait().is_ok_and(|ended| ended.is_none())) {
        rss_peak = rss_peak.max(server.rss_kib());
        thread::sleep(Duration::from_millis(50));
    }
    let leaving = enough.join().unwrap();
    let during = callers.p99_between(began, leaving);
    let over = Instant::now();
    let while_leaving = callers.p99_between(leaving, over);
    let mut recovered = None;
    while recovered.is_none() && over.elapsed() < RECOVERS_WITHIN {
        let window = Instant::now();
        if callers.p99_over(Duration::from_millis(500)) <= before * 2 {
            recovered = Some((window - over).as_millis() as u64);
        }
    }
    json!({
        "kind": kind, "sockets": count,
        "p99BeforeUs": before, "p99DuringUs": during, "p99Ratio": (during * 100 / before.max(1)) as f64 / 100.0,
        "p99LeavingUs": while_leaving, "recoveredAfterMs": recovered,
        "rssBeforeKiB": rss_before, "rssPeakKiB": rss_peak, "rssAfterKiB": server.rss_kib(),
        "bytesASocket": rss_peak.saturating_sub(rss_before) * 1024 / count as u64,
        "callersReconnected": callers.tally.reconnects.load(Relaxed) - reconnects,
    })
}

struct Server {
    child: Child,
    address: SocketAddr,
    _flags: tempfile::TempDir,
}

impl Server {
    /// The server that was built beside this program.
    fn start() -> Server {
        let flags = tempfile::TempDir::new().unwrap();
        let chat =
            "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 50% }\n";
        fs::write(flags.path().join("chat.yaml"), chat).unwrap();
        let here = env::current_exe().unwrap();
        let program = here.parent().and_then(|examples| examples.parent()).unwrap().join("turnout");
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--flags"])
            .arg(flags.path())
            .arg("--data")
            .arg(flags.path().join("data"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("build the server first: scripts/attack does");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.by_ref().find_map(|line| line.split("http://").nth(1)?.trim().parse().ok()).unwrap();
        thread::spawn(move || lines.for_each(drop));
        Server { child, address, _flags: flags }
    }

    fn rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Tally {
    waits: Mutex<Vec<(Instant, u64)>>,
    reconnects: AtomicU64,
    refused: AtomicU64,
    done: AtomicBool,
}

/// Honest callers, each on a connection it keeps.
struct Callers {
    tally: Arc<Tally>,
}

impl Callers {
    fn start(address: SocketAddr) -> Callers {
        let tally = Arc::new(Tally::default());
        for _ in 0..CALLERS {
            let tally = tally.clone();
            thread::spawn(move || call(address, &tally));
        }
        Callers { tally }
    }

    fn p99_over(&self, time: Duration) -> u64 {
        let from = Instant::now();
        thread::sleep(time);
        self.p99_between(from, Instant::now())
    }

    /// In microseconds.
    fn p99_between(&self, from: Instant, to: Instant) -> u64 {
        let waits = self.tally.waits.lock().unwrap();
        let mut waits: Vec<u64> = waits.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, wait)| *wait).collect();
        waits.sort_unstable();
        waits.get(waits.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(u64::MAX)
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.tally.done.store(true, Relaxed);
    }
}

/// Asks at a fixed rate; a wait counts from when the call was due, so that a stall is not seen as one slow call.
fn call(address: SocketAddr, tally: &Tally) {
    let question =
        format!("POST /v1/strategy/chat HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{QUESTION}", QUESTION.len());
    let mut connection: Option<std::net::TcpStream> = None;
    let mut due = Instant::now();
    while !tally.done.load(Relaxed) {
        let mut answered = false;
        // A kept connection may have been closed while idle; a new one must do.
        for fresh in [false, true] {
            if fresh || connection.is_none() {
                tally.reconnects.fetch_add(u64::from(fresh), Relaxed);
                connection = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok();
            }
            answered = connection.as_mut().is_some_and(|stream| ask_once(stream, &question).is_ok_and(|status| status == 200));
            if answered {
                break;
            }
        }
        tally.refused.fetch_add(u64::from(!answered), Relaxed);
        tally.waits.lock().unwrap().push((due, due.elapsed().as_micros() as u64));
        due += Duration::from_millis(1000 / CALLS_A_SECOND);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn ask_once(stream: &mut std::net::TcpStream, question: &str) -> std::io::Result<u16> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_nodelay(true)?;
    stream.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    // The document is the last thing in it.
    while !answer.ends_with(b"}") {
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    let status = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or(std::io::ErrorKind::InvalidData.into())
}

fn siege(arguments: &[String]) {
    let [kind, address, count, seconds] = arguments else { panic!("siege KIND ADDRESS N S") };
    let (address, count): (SocketAddr, usize) = (address.parse().unwrap(), count.parse().unwrap());
    let time = Duration::from_secs(seconds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let gate = Arc::new(Semaphore::new(0));
        let arrived = Arc::new(AtomicU64::new(0));
        for number in 0..count {
            let (kind, gate, arrived) = (kind.clone(), gate.clone(), arrived.clone());
            tokio::spawn(async move {
                loop {
                    let Ok(()) = gate.acquire().await.map(|permit| permit.forget()) else { return };
                    let stream = knock(address, number).await;
                    arrived.fetch_add(1, Relaxed);
                    if let Ok(stream) = stream {
                        let _ = misbehave(&kind, stream, time).await;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            });
        }
        let mut end = None;
        while end.is_none_or(|end| Instant::now() < end) {
            gate.add_permits(ARRIVALS.0);
            tokio::time::sleep(ARRIVALS.1).await;
            if end.is_none() && arrived.load(Relaxed) >= count as u64 {
                end = Some(Instant::now() + time);
            }
        }
        println!("enough");
    });
}

/// From many addresses, as one has too few ports.
async fn knock(address: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([127, 0, 1, (1 + number % 200) as u8], 0)))?;
    socket.connect(address).await
}

async fn misbehave(kind: &str, mut stream: TcpStream, time: Duration) -> std::io::Result<()> {
    let head = "POST /v1/strategy/chat HTTP/1.1\r\nhost: t\r\n";
    let long = "b".repeat(65_536);
    let text = match kind {
        "idle" => String::new(),
        "asked-then-idle" => format!("{head}content-length: {}\r\n\r\n{QUESTION}", QUESTION.len()),
        "half-head" => format!("{head}x-half: "),
        "drip-body" => format!("{head}content-length: 60000\r\n\r\n{{"),
        "never-read" => format!("{head}content-length: {}\r\n\r\n{QUESTION}", QUESTION.len()).repeat(20),
        "64-KiB-head" => format!("{head}x-long: {long}\r\n\r\n"),
        "101-headers" => head.to_owned() + &(0..100).map(|i| format!("x-{i}: 1\r\n")).collect::<String>() + "\r\n",
        "endless-chunks" => format!("{head}transfer-encoding: chunked\r\n\r\n10000\r\n{long}\r\n10000\r\n{long}"),
        "deep-json" => format!("{head}content-length: 20000\r\n\r\n{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        other => panic!("no attack is called {other}"),
    };
    stream.write_all(text.as_bytes()).await?;
    match kind {
        "half-head" | "drip-body" => loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stream.write_all(b" ").await?;
        },
        "never-read" => {
            let _ = tokio::time::timeout(time, async {
                while stream.write_all(text.as_bytes()).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            })
            .await;
            tokio::time::sleep(time).await;
            Ok(())
        }
        // Until the server hangs up.
        "idle" | "asked-then-idle" => stream.read_to_end(&mut Vec::new()).await.map(|_| ()),
        _ => stream.read(&mut [0; 1024]).await.map(|_| ()),
    }
}

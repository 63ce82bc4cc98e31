//! `attack strangers [--sockets N] [--seconds S] [--flags N] [KIND…]`: clients without a credential
//! do the worst they can, all at once: streams whose context is as long as it may be, bodies that
//! do not end, questions for every flag whose answers are not read; each comes again when it was
//! cut. At the defaults the server may take 256 MiB more than at rest, 1,000 honest questions are
//! all answered, and clients with a credential open streams. One JSON line on stdout; exit code 1
//! if that does not hold.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{SERVER_KEY, Server};
use crate::{QUESTION, load};

const KINDS: [&str; 3] = ["stream", "unending-body", "all-flags"];
const SOCKETS_A_PROCESS: usize = 10_000;
const BAR_KIB: u64 = 256 * 1024;
const QUESTIONS: u64 = 1_000;
const STREAMS: u64 = 50;
/// A client gives up after this.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(arguments: &[String]) -> bool {
    let (mut sockets, mut seconds, mut flags) = (20_000_usize, 30_u64, 10_000_usize);
    let mut kinds: Vec<&str> = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number =
            || rest.next().and_then(|number| number.parse::<usize>().ok()).expect("a number");
        match argument.as_str() {
            "--sockets" => sockets = number(),
            "--seconds" => seconds = number() as u64,
            "--flags" => flags = number(),
            kind => kinds.push(kind),
        }
    }
    if kinds.is_empty() {
        kinds.extend(KINDS);
    }
    let load_before = load();
    let mut server = Server::with_flags(flags);
    // One of each kind first: what every process takes once is no cost of strangers.
    ask(server.address).expect("an answer");
    thread::sleep(Duration::from_secs(2));
    let idle = server.rss_kib();

    let program = std::env::current_exe().unwrap();
    // One process may not have as many sockets as all of them need.
    let processes = kinds.len() * (sockets / kinds.len()).div_ceil(SOCKETS_A_PROCESS);
    let mut sieges: Vec<_> = (0..processes)
        .map(|process| {
            let (kind, count) = (kinds[process % kinds.len()], sockets / processes);
            let mut siege = Command::new(&program);
            siege.args([
                "siege",
                kind,
                &server.address.to_string(),
                &count.to_string(),
                &seconds.to_string(),
            ]);
            siege.stdout(Stdio::piped()).spawn().expect("this program again")
        })
        .collect();

    let watch = Arc::new((AtomicU64::new(idle), AtomicBool::new(false)));
    let (pid, seen) = (server.id(), watch.clone());
    let sampler = thread::spawn(move || {
        while !seen.1.load(Relaxed) {
            seen.0.fetch_max(crate::server::rss_kib(pid), Relaxed);
            thread::sleep(Duration::from_millis(20));
        }
    });
    // When most of them are there.
    thread::sleep(Duration::from_secs(seconds / 3));
    let (mut refused, mut waits, mut streams, mut held) = (0, Vec::new(), 0, Vec::new());
    let mut why: Vec<String> = Vec::new();
    // Spread over the time that is left.
    let (from, each) =
        (Instant::now(), Duration::from_secs(seconds - seconds / 3) / QUESTIONS as u32);
    for number in 0..QUESTIONS {
        thread::sleep((from + each * number as u32).saturating_duration_since(Instant::now()));
        let begun = Instant::now();
        match ask(server.address) {
            Ok(()) => waits.push(begun.elapsed().as_micros() as u64),
            Err(error) => {
                refused += 1;
                why.push(format!("{number}: {error}"));
            }
        }
        if number.is_multiple_of(QUESTIONS / STREAMS) {
            match watch_with_a_key(server.address) {
                Ok(stream) => held.push(stream),
                Err(error) => why.push(format!("stream {streams}: {error}")),
            }
            streams += 1;
        }
    }
    let visits: u64 = sieges
        .iter_mut()
        .filter_map(|siege| {
            let mut said = String::new();
            siege.stdout.take()?.read_to_string(&mut said).ok()?;
            siege.wait().ok()?;
            said.trim().parse::<u64>().ok()
        })
        .sum();
    watch.1.store(true, Relaxed);
    let _ = sampler.join();
    let peak = watch.0.load(Relaxed);
    waits.sort_unstable();
    let at = |percent: usize| {
        waits.get(waits.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0)
    };
    let alive = server.is_alive();
    let holds = alive && refused == 0 && held.len() as u64 == streams && peak <= idle + BAR_KIB;
    println!(
        "{}",
        json!({
            "holds": holds, "serverAlive": alive, "kinds": kinds, "sockets": sockets, "flags": flags, "seconds": seconds, "visits": visits,
            "rssIdleKiB": idle, "rssPeakKiB": peak, "rssGrowthKiB": peak - idle, "barKiB": BAR_KIB,
            "questions": QUESTIONS, "refused": refused, "p50Us": at(50), "p99Us": at(99), "slowestUs": at(100),
            "streamsWithACredential": streams, "opened": held.len(), "why": why,
            "cores": thread::available_parallelism().map_or(0, usize::from), "loadBefore": load_before, "loadAfter": load(),
        })
    );
    holds
}

/// An honest question on a connection of its own.
fn ask(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = "POST /v1/strategy/f00001 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n";
    stream.write_all(
        format!("{head}content-length: {}\r\n\r\n{QUESTION}", QUESTION.len()).as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") {
        Ok(())
    } else {
        Err(std::io::Error::other(first_line(&answer)))
    }
}

fn watch_with_a_key(address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST /v1/strategy/f00001/watch HTTP/1.1\r\nhost: t\r\nx-api-key: {SERVER_KEY}\r\n"
    );
    stream.write_all(
        format!("{head}content-length: {}\r\n\r\n{QUESTION}", QUESTION.len()).as_bytes(),
    )?;
    let mut start = [0; 64];
    let read = stream.read(&mut start)?;
    let start = String::from_utf8_lossy(&start[..read]).into_owned();
    if start.starts_with("HTTP/1.1 200") {
        Ok(stream)
    } else {
        Err(std::io::Error::other(first_line(&start)))
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("hung up").to_owned()
}

//! Honest callers at a fixed rate, each on a connection it keeps, and what they waited.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::QUESTION;

const CALLERS: usize = 8;
/// Of each: often enough that a second has a p99.
const CALLS_A_SECOND: u64 = 100;

#[derive(Default)]
struct Tally {
    waits: Mutex<Vec<(Instant, u64)>>,
    reconnects: AtomicU64,
    refused: AtomicU64,
    done: AtomicBool,
}

pub struct Callers {
    tally: Arc<Tally>,
}

impl Callers {
    pub fn start(address: SocketAddr) -> Callers {
        let tally = Arc::new(Tally::default());
        for caller in 0..CALLERS {
            let tally = tally.clone();
            // Not all at the same moment.
            let offset =
                Duration::from_micros(1_000_000 / CALLS_A_SECOND * caller as u64 / CALLERS as u64);
            thread::spawn(move || call(address, Instant::now() + offset, &tally));
        }
        Callers { tally }
    }

    pub fn refused(&self) -> u64 {
        self.tally.refused.load(Relaxed)
    }

    pub fn reconnects(&self) -> u64 {
        self.tally.reconnects.load(Relaxed)
    }

    pub fn p99_over(&self, time: Duration) -> u64 {
        let from = Instant::now();
        thread::sleep(time);
        self.p99_between(from, Instant::now())
    }

    /// Of the calls that were due then, in microseconds.
    pub fn p99_between(&self, from: Instant, to: Instant) -> u64 {
        let waits = self.tally.waits.lock().unwrap();
        let mut waits: Vec<u64> =
            waits.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, wait)| *wait).collect();
        waits.sort_unstable();
        waits.get(waits.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(u64::MAX)
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.tally.done.store(true, Relaxed);
    }
}

/// Asks at a fixed rate; a wait counts from when the call was due, so that a stall is not seen as
/// one slow call.
fn call(address: SocketAddr, mut due: Instant, tally: &Tally) {
    let question = format!(
        "POST /v1/strategy/chat HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{QUESTION}",
        QUESTION.len()
    );
    let mut connection: Option<TcpStream> = None;
    while !tally.done.load(Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut answered = false;
        // A kept connection may have been closed while idle; a new one must do.
        for fresh in [false, true] {
            if fresh || connection.is_none() {
                tally.reconnects.fetch_add(u64::from(fresh), Relaxed);
                connection = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok();
            }
            answered = connection.as_mut().is_some_and(|stream| {
                ask_once(stream, &question).is_ok_and(|status| status == 200)
            });
            if answered {
                break;
            }
        }
        tally.refused.fetch_add(u64::from(!answered), Relaxed);
        tally.waits.lock().unwrap().push((due, due.elapsed().as_micros() as u64));
        due += Duration::from_millis(1000 / CALLS_A_SECOND);
    }
}

fn ask_once(stream: &mut TcpStream, question: &str) -> std::io::Result<u16> {
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
    let status =
        String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or(std::io::ErrorKind::InvalidData.into())
}

//! A proxy that breaks what passes: refusals, resets, answers and streams that are cut, late answers
//! and answers that come twice. Each request has a connection of its own to the server.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::rng::Rng;

/// How many hundredths of the requests are broken, and of the streams that are opened.
const BROKEN_PERCENT: u64 = 20;
const BROKEN_STREAMS_PERCENT: u64 = 60;
const LATE: Duration = Duration::from_millis(700);
const SILENCE: Duration = Duration::from_secs(60);
const MOST_HEAD_BYTES: usize = 64 * 1024;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ProxyFault {
    ServerError,
    TooMany,
    Unauthenticated,
    Reset,
    /// An answer ends in the middle, a stream anywhere.
    Cut,
    /// A stream ends inside a message of events.
    CutInBatch,
    Late,
    /// An earlier answer comes instead of this one; a message of events comes twice.
    Again,
}

const FAULTS: [ProxyFault; 7] = [
    ProxyFault::ServerError,
    ProxyFault::TooMany,
    ProxyFault::Unauthenticated,
    ProxyFault::Reset,
    ProxyFault::Cut,
    ProxyFault::Late,
    ProxyFault::Again,
];
const FAULTS_OF_STREAMS: [ProxyFault; 3] =
    [ProxyFault::Cut, ProxyFault::CutInBatch, ProxyFault::Again];

pub struct BreakingProxy {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    target: SocketAddr,
    breaks: AtomicBool,
    rng: Mutex<Rng>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    /// The last good answer by credential and path.
    answers: Mutex<HashMap<String, Vec<u8>>>,
}

impl BreakingProxy {
    pub fn start(target: SocketAddr, seed: u64) -> io::Result<BreakingProxy> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let inner = Arc::new(Inner {
            target,
            breaks: AtomicBool::new(false),
            rng: Mutex::new(Rng::new(seed)),
            counts: Mutex::default(),
            answers: Mutex::default(),
        });
        let (address, passing) = (listener.local_addr()?, inner.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let inner = passing.clone();
                thread::spawn(move || drop(inner.pass(&client)));
            }
        });
        Ok(BreakingProxy { address, inner })
    }

    /// Breaks from now on, or lets everything pass.
    pub fn breaks(&self, some: bool) {
        self.inner.breaks.store(some, Relaxed);
    }

    /// How often each fault was met.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.inner.counts).clone()
    }
}

impl Inner {
    fn pass(&self, mut client: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        client.set_read_timeout(Some(SILENCE))?;
        let (head, mut body) = read_head(client)?;
        let length = field(&head, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut rest = vec![0; length - body.len().min(length)];
        client.read_exact(&mut rest)?;
        body.extend(rest);
        let fault = self.fault(BROKEN_PERCENT, &FAULTS);
        let refuse = |status: &str, code: &str| {
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{{\"code\":\"{code}\"}}",
                code.len() + 11
            )
        };
        match fault {
            Some(ProxyFault::ServerError) => {
                self.count("500");
                return client.write_all(refuse("500 Internal Server Error", "proxy").as_bytes());
            }
            Some(ProxyFault::TooMany) => {
                self.count("429");
                return client.write_all(refuse("429 Too Many Requests", "proxy").as_bytes());
            }
            Some(ProxyFault::Unauthenticated) => {
                self.count("401");
                return client.write_all(refuse("401 Unauthorized", "unauthenticated").as_bytes());
            }
            Some(ProxyFault::Reset) => {
                self.count("reset");
                return reset(client);
            }
            _ => {}
        }
        let Ok(mut server) = TcpStream::connect(self.target) else { return reset(client) };
        server.set_nodelay(true)?;
        server.set_read_timeout(Some(SILENCE))?;
        let lines =
            head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        server
            .write_all(format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n")).as_bytes())?;
        server.write_all(&body)?;
        let Ok((answer, begun)) = read_head(&server) else { return reset(client) };
        if answer.to_ascii_lowercase().contains("text/event-stream") {
            let fault = self.fault(BROKEN_STREAMS_PERCENT, &FAULTS_OF_STREAMS);
            return self.stream(fault, client, &server, (&answer, begun));
        }
        let mut whole = [answer.as_bytes(), &begun].concat();
        if server.read_to_end(&mut whole).is_err() {
            return reset(client);
        }
        let path = head.split([' ', '?']).nth(1).unwrap_or_default();
        let of = format!("{} {path}", field(&head, "authorization").unwrap_or_default());
        let earlier = lock(&self.answers).get(&of).cloned();
        if answer.starts_with("HTTP/1.1 200") {
            lock(&self.answers).insert(of, whole.clone());
        }
        match (fault, earlier) {
            (Some(ProxyFault::Again), Some(earlier)) => {
                self.count("an earlier answer");
                client.write_all(&earlier)
            }
            (Some(ProxyFault::Cut), _) => {
                self.count("a cut body");
                client.write_all(&whole[..answer.len() + (whole.len() - answer.len()) / 2])?;
                thread::sleep(Duration::from_millis(5));
                client.shutdown(Shutdown::Both)
            }
            (fault, _) => {
                if fault == Some(ProxyFault::Late) {
                    self.count("late");
                    thread::sleep(LATE);
                }
                client.write_all(&whole)
            }
        }
    }

    /// Passes a stream as it comes.
    fn stream(
        &self,
        fault: Option<ProxyFault>,
        mut client: &TcpStream,
        mut server: &TcpStream,
        (answer, begun): (&str, Vec<u8>),
    ) -> io::Result<()> {
        // The server hears at once that the client left.
        let (mut leaving, gone) = (client.try_clone()?, server.try_clone()?);
        leaving.set_read_timeout(None)?;
        thread::spawn(move || {
            let _ = leaving.read(&mut [0]);
            let _ = gone.shutdown(Shutdown::Both);
        });
        client.write_all(answer.as_bytes())?;
        let mut left = match fault {
            Some(ProxyFault::Cut) => 40 + lock(&self.rng).below(2_000) as usize,
            _ => usize::MAX,
        };
        // After so many messages of events it is cut in one, or one comes twice.
        let mut before = lock(&self.rng).below(2);
        let (mut piece, mut buffer) = (begun, vec![0; 256 * 1024]);
        loop {
            let has_events = piece.windows(15).any(|part| part == b"\"type\":\"events\"");
            let is_hit = has_events && before == 0;
            before = before.saturating_sub(u64::from(has_events));
            if is_hit && fault == Some(ProxyFault::CutInBatch) {
                self.count("a stream cut inside a batch");
                client.write_all(&piece[..piece.len() - 1 - piece.len() / 3])?;
                thread::sleep(Duration::from_millis(5));
                return client.shutdown(Shutdown::Both);
            }
            if piece.len() >= left {
                self.count("a stream cut");
                client.write_all(&piece[..left])?;
                return client.shutdown(Shutdown::Both);
            }
            client.write_all(&piece)?;
            left = left.saturating_sub(piece.len());
            if is_hit && fault == Some(ProxyFault::Again) && piece.ends_with(b"\n\n") {
                self.count("messages that came twice");
                client.write_all(&piece)?;
            }
            let read = server.read(&mut buffer)?;
            if read == 0 {
                return client.shutdown(Shutdown::Both);
            }
            piece = buffer[..read].to_vec();
        }
    }

    fn fault(&self, percent: u64, of: &[ProxyFault]) -> Option<ProxyFault> {
        let mut rng = lock(&self.rng);
        let is_broken = self.breaks.load(Relaxed) && rng.percent(percent);
        is_broken.then(|| of[rng.below(of.len() as u64) as usize])
    }

    fn count(&self, what: &'static str) {
        *lock(&self.counts).entry(what).or_default() += 1;
    }
}

/// A head with its last line end, and what came behind it.
fn read_head(mut from: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let read = from.read(&mut buffer)?;
        if read == 0 || bytes.len() > MOST_HEAD_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend(&buffer[..read]);
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Closes as a host that went away does.
fn reset(client: &TcpStream) -> io::Result<()> {
    SockRef::from(client).set_linger(Some(Duration::ZERO))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

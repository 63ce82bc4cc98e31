//! The attackers, in a process of their own: so many sockets, each of which misbehaves in one way,
//! again and again. They come at a fixed rate and wait before they come again; faster ones would
//! measure how fast they are, and not what each of them costs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Interval, interval, interval_at};

use crate::QUESTION;

/// How long an attacker waits before it comes again.
const AGAIN: Duration = Duration::from_millis(100);
/// How often one comes, in each process.
const ARRIVAL: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Longer than any siege.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// `siege KIND ADDRESS N SECONDS`. When it is enough, says on stdout how many visits there were,
/// and only then hangs up.
pub fn run(arguments: &[String]) {
    let [kind, address, count, seconds] = arguments else { panic!("siege KIND ADDRESS N SECONDS") };
    let (address, count): (SocketAddr, usize) = (address.parse().unwrap(), count.parse().unwrap());
    let time = Duration::from_secs(seconds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let gate = Arc::new(Semaphore::new(0));
        let visits = Arc::new(AtomicU64::new(0));
        for number in 0..count {
            let (kind, gate, visits) = (kind.clone(), gate.clone(), visits.clone());
            tokio::spawn(async move {
                loop {
                    let Ok(()) = gate.acquire().await.map(|permit| permit.forget()) else { return };
                    let stream = knock(address, number).await;
                    visits.fetch_add(1, Relaxed);
                    if let Ok(stream) = stream {
                        let _ = misbehave(&kind, number, stream, time).await;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            });
        }
        let mut end = None;
        let mut arrivals = interval(ARRIVAL);
        while end.is_none_or(|end| Instant::now() < end) {
            arrivals.tick().await;
            gate.add_permits(1);
            if end.is_none() && visits.load(Relaxed) >= count as u64 {
                end = Some(Instant::now() + time);
            }
        }
        println!("{}", visits.load(Relaxed));
    });
}

/// From now on, at moments of its own: those that were held up together would otherwise go on
/// together from then on, as strangers on machines of their own do not.
fn every_second() -> Interval {
    interval_at(Instant::now() + SECOND, SECOND)
}

/// From many addresses, as one has too few ports.
async fn knock(address: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([127, 0, 1, (1 + number % 200) as u8], 0)))?;
    socket.connect(address).await
}

async fn misbehave(
    kind: &str,
    number: usize,
    mut stream: TcpStream,
    time: Duration,
) -> std::io::Result<()> {
    let head = "POST /v1/strategy/chat HTTP/1.1\r\nhost: t\r\n";
    let long = "b".repeat(65_536);
    let text = match kind {
        "idle" => String::new(),
        "asked-then-idle" => format!("{head}content-length: {}\r\n\r\n{QUESTION}", QUESTION.len()),
        "half-head" => format!("{head}x-half: "),
        "long-head" => format!("{head}x-long: {}", "b".repeat(15_000)),
        "drip-body" => format!("{head}content-length: 60000\r\n\r\n{{"),
        "never-read" => {
            format!("{head}content-length: {}\r\n\r\n{QUESTION}", QUESTION.len()).repeat(20)
        }
        "64-KiB-head" => format!("{head}x-long: {long}\r\n\r\n"),
        "101-headers" => {
            head.to_owned()
                + &(0..100).map(|i| format!("x-{i}: 1\r\n")).collect::<String>()
                + "\r\n"
        }
        "endless-chunks" => {
            format!("{head}transfer-encoding: chunked\r\n\r\n10000\r\n{long}\r\n10000\r\n{long}")
        }
        "stream" => {
            let body = format!(
                "{{\"targetingKey\":\"u-1\",\"attributes\":{{\"plan\":\"{}\"}}}}",
                "p".repeat(60_000)
            );
            let path =
                if number.is_multiple_of(2) { "/v1/watch" } else { "/v1/strategy/f00000/watch" };
            format!(
                "POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        }
        "unending-body" => format!("{head}content-length: 65000\r\n\r\n{}", " ".repeat(64_900)),
        "all-flags" => {
            let path =
                if number.is_multiple_of(2) { "/v1/strategy" } else { "/ofrep/v1/evaluate/flags" };
            let body = if number.is_multiple_of(2) {
                QUESTION.to_owned()
            } else {
                format!("{{\"context\":{QUESTION}}}")
            };
            format!(
                "POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .repeat(3)
        }
        "deep-json" => format!(
            "{head}content-length: 20000\r\n\r\n{}{}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        ),
        other => panic!("no attack is called {other}"),
    };
    stream.write_all(text.as_bytes()).await?;
    match kind {
        "half-head" | "drip-body" => {
            let mut due = every_second();
            loop {
                due.tick().await;
                stream.write_all(b" ").await?;
            }
        }
        "never-read" => {
            let _ = tokio::time::timeout(time, async {
                let mut due = every_second();
                while stream.write_all(text.as_bytes()).await.is_ok() {
                    due.tick().await;
                }
            })
            .await;
            tokio::time::sleep(time).await;
            Ok(())
        }
        "stream" => {
            let mut status = [0; 12];
            stream.read_exact(&mut status).await?;
            // One that finds no room comes again.
            if status.ends_with(b"200") { until_closed(&stream, FOR_EVER).await } else { Ok(()) }
        }
        "unending-body" | "long-head" => until_closed(&stream, FOR_EVER).await,
        "all-flags" => until_closed(&stream, 5 * SECOND).await,
        // Until the server hangs up.
        "idle" | "asked-then-idle" => stream.read_to_end(&mut Vec::new()).await.map(|_| ()),
        _ => stream.read(&mut [0; 1024]).await.map(|_| ()),
    }
}

/// Reads nothing, and notices all the same when the server has hung up. What is cut behind an
/// answer that is not read is not noticed: a client that waits for that comes again after a while.
async fn until_closed(stream: &TcpStream, at_most: Duration) -> std::io::Result<()> {
    let end = Instant::now() + at_most;
    while Instant::now() < end {
        tokio::time::sleep(SECOND / 2).await;
        let ready =
            tokio::time::timeout(AGAIN, stream.ready(Interest::READABLE | Interest::ERROR)).await;
        if ready.is_ok_and(|ready| {
            ready.is_err() || ready.is_ok_and(|ready| ready.is_read_closed() || ready.is_error())
        }) {
            break;
        }
    }
    Ok(())
}

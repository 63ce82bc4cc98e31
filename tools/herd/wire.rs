//! HTTP/1.1 on one connection, of as few bytes as ten thousand of them need.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A connection, which is kept.
pub struct Wire {
    socket: TcpStream,
    read: Vec<u8>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    /// `Turnout-Flag-Revision`.
    pub changed_at: String,
    pub body: String,
}

impl Wire {
    pub async fn open(address: SocketAddr) -> io::Result<Wire> {
        Wire::open_from(1, address).await
    }

    /// From one of the addresses of this machine: each has ports of its own, and a port that was used
    /// a moment ago is not free yet.
    pub async fn open_from(host: u8, address: SocketAddr) -> io::Result<Wire> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
        let socket = socket.connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Wire { socket, read: Vec::new() })
    }

    pub async fn get(&mut self, path: &str, bearer: &str) -> io::Result<Answer> {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        );
        self.socket.write_all(head.as_bytes()).await?;
        self.answer().await
    }

    pub async fn post(&mut self, path: &str, bearer: &str, body: &str) -> io::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.write_all(head.as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let head = self.until(b"\r\n\r\n").await?;
        let field = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let changed_at = field("turnout-flag-revision").unwrap_or_default();
        let is_stream = field("content-type").is_some_and(|kind| kind == "text/event-stream");
        let length = field("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut body = String::new();
        if !is_stream && status != 304 {
            while self.read.len() < length {
                self.more().await?;
            }
            body = String::from_utf8_lossy(&self.read[..length]).into_owned();
            self.read.drain(..length);
        }
        Ok(Answer { status, changed_at, body })
    }

    /// The next message of a stream; an error once it has ended.
    pub async fn message(&mut self) -> io::Result<String> {
        self.until(b"\n\n").await
    }

    async fn until(&mut self, end: &[u8]) -> io::Result<String> {
        loop {
            if let Some(place) = self.read.windows(end.len()).position(|part| part == end) {
                let rest = self.read.split_off(place + end.len());
                let whole = std::mem::replace(&mut self.read, rest);
                return Ok(String::from_utf8_lossy(&whole).into_owned());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        // On the heap while something comes, and nowhere while nothing does.
        self.socket.readable().await?;
        let mut piece = Vec::with_capacity(4 * 1024);
        if self.socket.read_buf(&mut piece).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read.extend(piece);
        Ok(())
    }
}

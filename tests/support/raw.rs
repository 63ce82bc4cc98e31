//! A client that sends bytes, and reads exactly what is answered.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{PATIENCE, Service};

/// A client that could send nothing for this long has sent all the server takes.
const GIVEN_UP: Duration = Duration::from_millis(200);

/// A client that sends bytes.
pub struct Raw {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    pub asks_for_heads: bool,
}

impl Raw {
    pub async fn connect(service: &Service) -> Raw {
        Raw::to(service.app.address()).await
    }

    pub async fn to(address: SocketAddr) -> Raw {
        Raw {
            stream: TcpStream::connect(address).await.unwrap(),
            buffer: Vec::new(),
            asks_for_heads: false,
        }
    }

    /// Sends the head of a request with a body of `length` bytes, and returns once the server waits
    /// for the body: then it has judged the head.
    pub async fn that_sent_its_head(
        address: SocketAddr,
        request: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) -> Raw {
        let mut raw = Raw::to(address).await;
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: {length}\r\nexpect: 100-continue\r\n\r\n"
        );
        raw.send(head.as_bytes()).await;
        assert_eq!(raw.answer().await.as_deref(), Some("100"), "{request}");
        raw
    }

    /// Asks for responses and takes none, until it can send no more.
    pub async fn that_never_reads(service: &Service) -> Raw {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        socket.set_send_buffer_size(16 * 1024).unwrap();
        let stream = socket.connect(service.app.address()).await.unwrap();
        let questions = GET.repeat(1000);
        while tokio::time::timeout(GIVEN_UP, stream.writable()).await.is_ok() {
            // The server may close the connection first.
            if stream
                .try_write(questions.as_bytes())
                .is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
            {
                break;
            }
        }
        Raw { stream, buffer: Vec::new(), asks_for_heads: false }
    }

    /// Sends what the server takes; it may close the connection before the end.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// More bytes, or none when the server has closed the connection.
    pub async fn more(&mut self) -> usize {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        match read.expect("neither an answer nor an end") {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        }
    }

    /// The status of the next response with its code, if it has one; `None` when the server has
    /// closed the connection.
    pub async fn answer(&mut self) -> Option<String> {
        loop {
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length
                    .filter(|_| !self.asks_for_heads)
                    .map_or(0, |length| length.parse().unwrap());
                if rest.len() >= length {
                    let code = ["\"code\":\"", "\"errorCode\":\""]
                        .iter()
                        .find_map(|name| rest[..length].split(name).nth(1));
                    let code = code.map_or(String::new(), |rest| {
                        format!(" {}", rest.split('"').next().unwrap())
                    });
                    self.buffer.drain(..head.len() + 4 + length);
                    return Some(format!("{status}{code}"));
                }
            }
            if self.more().await == 0 {
                assert!(self.buffer.is_empty(), "hung up in the middle of an answer: {text}");
                return None;
            }
        }
    }

    /// Whether a request is answered here.
    pub async fn answers(&mut self) -> bool {
        self.send(GET.as_bytes()).await;
        self.asks_for_heads = false;
        self.answer().await.is_some_and(|answer| answer == "200")
    }

    /// Whether the server closes the connection without a response.
    pub async fn is_closed(&mut self) -> bool {
        self.answer().await.is_none()
    }
}

pub const GET: &str = "GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n";

/// The head of a strategy question.
pub fn ask(more: &str) -> String {
    format!("POST /v1/strategy/chat HTTP/1.1\r\nhost: t\r\n{more}\r\n")
}

//! A client of one kept-alive connection, so that what is measured is the server and not a client's
//! machinery.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value as Json;

/// One connection.
pub struct Wire {
    stream: BufReader<TcpStream>,
    bearer: Option<String>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    /// `Turnout-Revision`.
    pub position: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Wire {
    /// To the public listener.
    pub fn public(address: SocketAddr) -> io::Result<Wire> {
        Wire::open(address, None)
    }

    /// To the admin listener.
    pub fn admin(address: SocketAddr, token: &str) -> io::Result<Wire> {
        Wire::open(address, Some(token.to_owned()))
    }

    fn open(address: SocketAddr, bearer: Option<String>) -> io::Result<Wire> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Wire { stream: BufReader::new(stream), bearer })
    }

    /// Another handle on the connection, to cut it from outside.
    pub fn handle(&self) -> io::Result<TcpStream> {
        self.stream.get_ref().try_clone()
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, None, "")
    }

    pub fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        self.send("POST", path, None, body)
    }

    /// An order; `key` is its idempotency key.
    pub fn order(
        &mut self,
        flag: &str,
        verb: &str,
        key: Option<&str>,
        body: &str,
    ) -> io::Result<Answer> {
        self.send("POST", &format!("/v1/flags/{flag}/{verb}"), key, body)
    }

    /// The strategy of a user.
    pub fn ask(&mut self, flag: &str, body: &str) -> io::Result<Answer> {
        self.send("POST", &format!("/v1/strategy/{flag}"), None, body)
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> io::Result<Answer> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n",
            body.len()
        );
        if let Some(key) = key {
            request.push_str(&format!("Idempotency-Key: {key}\r\n"));
        }
        if let Some(bearer) = &self.bearer {
            request.push_str(&format!("Authorization: Bearer {bearer}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.receive()
    }

    fn receive(&mut self) -> io::Result<Answer> {
        let bad = || {
            io::Error::new(io::ErrorKind::InvalidData, "not an answer of HTTP/1.1 with a length")
        };
        let mut line = String::new();
        let mut status = None;
        let (mut position, mut length) = (String::new(), None);
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            match (status, text.split_once(':')) {
                (None, _) => {
                    status = Some(
                        text.split(' ')
                            .nth(1)
                            .and_then(|code| code.parse().ok())
                            .ok_or_else(bad)?,
                    );
                }
                (_, Some((name, value))) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.trim().parse().map_err(|_| bad())?);
                }
                (_, Some((name, value))) if name.eq_ignore_ascii_case("turnout-revision") => {
                    position = value.trim().to_owned();
                }
                _ => {}
            }
        }
        let mut body = vec![0; length.ok_or_else(bad)?];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status: status.ok_or_else(bad)?, position, body })
    }
}

//! A fake server whose responses and delays the test chooses.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::PATIENCE;

pub struct Request {
    pub path: String,
    pub body: String,
    pub at: Instant,
}

/// A connection as the fake server answers it.
pub struct Answering(TcpStream);

impl Answering {
    pub fn head(&mut self) {
        self.put("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
    }

    pub fn put(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).and_then(|()| self.0.flush());
    }

    pub fn answer(&mut self, status: &str, head: &str, body: &str) {
        self.put(&format!(
            "HTTP/1.1 {status}\r\n{head}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ));
    }

    /// Keeps the connection open until the client closes it.
    pub fn hold(&mut self) {
        let _ = self.0.read_to_end(&mut Vec::new());
    }
}

/// A fake server that answers by the request, and by how many requests came for the same path
/// before.
pub struct Fake {
    pub url: String,
    pub requests: Receiver<Request>,
}

impl Fake {
    pub fn start(
        script: impl Fn(&Request, usize, &mut Answering) + Send + Sync + Clone + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (put, requests): (Sender<Request>, _) = channel();
        std::thread::spawn(move || {
            let mut paths: Vec<String> = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = read(&stream) else { continue };
                assert!(
                    !request.path.contains("u-1"),
                    "a user's id in an address: {}",
                    request.path
                );
                let count = paths.iter().filter(|path| **path == request.path).count();
                paths.push(request.path.clone());
                let (script, mut stream) = (script.clone(), Answering(stream));
                let seen = Request {
                    path: request.path.clone(),
                    body: request.body.clone(),
                    at: request.at,
                };
                if put.send(seen).is_err() {
                    return;
                }
                std::thread::spawn(move || script(&request, count, &mut stream));
            }
        });
        Fake { url, requests }
    }

    /// The next request for a path; requests for other paths are skipped.
    pub fn next(&self, path: &str) -> Request {
        loop {
            let request = self
                .requests
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no request came for {path}"));
            if request.path == path {
                return request;
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let at = Instant::now();
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        path: first.split(' ').nth(1)?.to_owned(),
        body: String::from_utf8(body).ok()?,
        at,
    })
}

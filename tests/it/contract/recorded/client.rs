//! A client that sends bytes over one kept connection and keeps what is answered, with names in
//! place of what differs from run to run.
//!
//! | in a request | what is sent |
//! |---|---|
//! | `<<tag>>` | the `ETag` of the answer before, so that a request says that it holds that answer |
//! | `<<position>>` | the `Turnout-Revision` of the answer before |
//! | `<<ack>>` | the name of the newest stream: streams have random names |
//! | `<<token …>>`, `<<key>>` | a session token, signed now by a key made now; the key of a server |
//! | `<<COUNT of TEXT>>` | the text so many times, which would make the record long |
//! | `<<bytes HEX>>` | these bytes, which are not UTF-8 |
//!
//! | in an answer | what it stands for |
//! |---|---|
//! | `<<ack>>` | the random name of a stream |
//! | `<<retry>>`, `<<seconds>>` | a time by chance, so that clients do not come back all at once |
//! | `<<length with seconds>>` | the length of a body that says such a time, of one digit or two |
//! | `<<version>>` | Turnout's own version in `openapi.json`: a release changes no answer but this one |
//! | `<<docs/openapi/public.json>>` | the committed contract, which shows each of its changes by itself |
//! | `<<tag of openapi.json>>`, `<<length of openapi.json>>` | its tag and its length, which change with the version |
//!
//! `date` is left out, as it is the time.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;

use crate::support::PATIENCE;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::requests::Request;
use super::services::Started;

/// As it is recorded.
pub struct Answer {
    pub status: String,
    pub headers: Vec<String>,
    pub body: String,
}

/// A client of one service.
pub struct Client {
    address: SocketAddr,
    connection: Option<TcpStream>,
    /// What names in requests stand for.
    names: HashMap<String, String>,
    /// A stream ends with its connection, and an ended one takes no acknowledgement.
    streams: Vec<TcpStream>,
}

impl Client {
    pub fn of(started: &Started) -> Client {
        let address = started.service.app.address();
        Client { address, connection: None, names: started.names.clone(), streams: Vec::new() }
    }

    /// Sends a request and hears its answer. A server may close a kept connection between two
    /// requests, so then it is sent anew.
    pub async fn ask(&mut self, request: &Request) -> Answer {
        let bytes = self.bytes(request);
        if let Some(connection) = self.connection.take()
            && let Some(answer) = self.ask_on(connection, request, &bytes).await
        {
            return answer;
        }
        let connection = TcpStream::connect(self.address).await.unwrap();
        let answer = self.ask_on(connection, request, &bytes).await;
        answer.unwrap_or_else(|| panic!("no answer to {} at {}", request.asks, request.at))
    }

    async fn ask_on(
        &mut self,
        mut connection: TcpStream,
        request: &Request,
        bytes: &[u8],
    ) -> Option<Answer> {
        // A server that has heard enough answers and reads no more.
        let _ = connection.write_all(bytes).await;
        let mut heard = Vec::new();
        let end = loop {
            if let Some(end) = find(&heard, b"\r\n\r\n") {
                break end + 4;
            }
            if more(&mut connection, &mut heard).await == 0 {
                assert!(heard.is_empty(), "{}: {}", request.asks, String::from_utf8_lossy(&heard));
                return None;
            }
        };
        let head = String::from_utf8(heard.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n").map(str::to_owned);
        let status = lines.next().unwrap();
        let headers: Vec<String> = lines.filter(|line| !line.starts_with("date: ")).collect();
        let value = |name: &str| {
            headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let is_stream = value("content-type") == Some("text/event-stream");
        let code: u16 = status.split(' ').nth(1).unwrap().parse().unwrap();
        let has_none = request.asks.starts_with("HEAD ") || matches!(code, 204 | 304);
        let length = value("content-length").map(|length| length.parse::<usize>().unwrap());
        assert!(value("transfer-encoding").is_none(), "{}: {head}", request.asks);
        let is_whole = |heard: &[u8]| match length {
            _ if has_none => true,
            _ if is_stream => find(heard, b"\n\n").is_some(),
            Some(length) => heard.len() >= length,
            None => false,
        };
        while !is_whole(&heard) {
            if more(&mut connection, &mut heard).await == 0 {
                assert!(
                    length.is_none() && !is_stream,
                    "{}: hung up in the middle of an answer",
                    request.asks
                );
                break;
            }
        }
        for (name, header) in [("tag", "etag"), ("position", "turnout-revision")] {
            if let Some(value) = value(header) {
                self.names.insert(name.to_owned(), value.to_owned());
            }
        }
        let ends = value("connection") == Some("close") || (length.is_none() && !has_none);
        let body = String::from_utf8(heard).unwrap();
        if is_stream && !has_none {
            if let Some((name, _)) =
                body.split_once("\"ackId\":\"").and_then(|(_, rest)| rest.split_once('"'))
            {
                self.names.insert("ack".to_owned(), name.to_owned());
            }
            self.streams.push(connection);
        } else if !ends && !is_stream {
            self.connection = Some(connection);
        }
        Some(named(Answer { status, headers, body }, request))
    }

    /// The request as it is sent: with a host and the length of its body, unless it says them
    /// itself.
    fn bytes(&self, request: &Request) -> Vec<u8> {
        let body = request.body.as_deref().map(|body| self.expand(body));
        let mut head = if request.asks.contains(" HTTP/") {
            format!("{}\r\n", request.asks)
        } else {
            format!("{} HTTP/1.1\r\nhost: turnout.example\r\n", request.asks)
        };
        request.with.iter().for_each(|line| head += &format!("{line}\r\n"));
        let is_framed = request.with.iter().any(|line| {
            let line = line.to_ascii_lowercase();
            line.starts_with("content-length") || line.starts_with("transfer-encoding")
        });
        if let Some(body) = body.as_ref().filter(|_| !is_framed) {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let mut bytes = self.expand(&(head + "\r\n"));
        bytes.extend(body.unwrap_or_default());
        bytes
    }

    /// Puts what the names of a request stand for in their places.
    fn expand(&self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((before, (name, after))) =
            rest.split_once("<<").and_then(|(a, b)| Some((a, b.split_once(">>")?)))
        {
            bytes.extend_from_slice(before.as_bytes());
            if let Some(meant) = self.names.get(name) {
                bytes.extend_from_slice(meant.as_bytes());
            } else if let Some(hex) = name.strip_prefix("bytes ") {
                bytes.extend(hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()));
            } else {
                let (count, text) = name
                    .split_once(" of ")
                    .unwrap_or_else(|| panic!("<<{name}>> stands for nothing yet"));
                bytes.extend(text.repeat(count.parse().unwrap()).as_bytes());
            }
            rest = after;
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }
}

/// Puts names in the places of what differs from run to run.
fn named(mut answer: Answer, request: &Request) -> Answer {
    if answer.body.starts_with("retry: ") {
        answer.body = between(&answer.body, "retry: ", "\n", "<<retry>>");
        answer.body = between(&answer.body, "\"ackId\":\"", "\"", "<<ack>>");
    }
    let is_crowded = answer.status.contains(" 503 ") && answer.body.contains("try again in ");
    if is_crowded {
        answer.body = between(&answer.body, "try again in ", " s\"", "<<seconds>>");
    }
    let of_contract = request.asks.contains("/openapi.json");
    let is_contract = of_contract
        && (answer.status.ends_with("200 OK") || answer.status.ends_with("304 Not Modified"));
    if is_contract {
        answer.body = with_version_named(&answer.body);
        if answer.body == committed_contract() {
            answer.body = format!("<<{CONTRACT}>>");
        }
    }
    for line in &mut answer.headers {
        let (name, _) = line.split_once(": ").unwrap_or((line, ""));
        match name {
            "retry-after" => *line = "retry-after: <<seconds>>".to_owned(),
            "content-length" if is_crowded => {
                *line = "content-length: <<length with seconds>>".to_owned();
            }
            "etag" if is_contract => *line = "etag: <<tag of openapi.json>>".to_owned(),
            "content-length" if is_contract => {
                *line = "content-length: <<length of openapi.json>>".to_owned();
            }
            _ => {}
        }
    }
    answer
}

const CONTRACT: &str = "docs/openapi/public.json";

/// The committed contract as the server sends it, with a name in the place of the version.
fn committed_contract() -> String {
    let path = format!("{}/{CONTRACT}", env!("CARGO_MANIFEST_DIR"));
    let contract: Json = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    with_version_named(&contract.to_string())
}

/// The text with a name in the place of each version of the project.
fn with_version_named(text: &str) -> String {
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    text.replace(&version, "\"version\":\"<<version>>\"")
}

/// The text with another one between the first `before` and the `after` that follows it.
fn between(text: &str, before: &str, after: &str, other: &str) -> String {
    let parts =
        text.split_once(before).and_then(|(head, rest)| Some((head, rest.split_once(after)?.1)));
    parts.map_or(text.to_owned(), |(head, tail)| format!("{head}{before}{other}{after}{tail}"))
}

/// Reads on; 0 when the other side has hung up.
async fn more(connection: &mut TcpStream, heard: &mut Vec<u8>) -> usize {
    let read =
        timeout(PATIENCE, connection.read_buf(heard)).await.expect("neither an answer nor an end");
    read.unwrap_or(0)
}

fn find(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    bytes.windows(sought.len()).position(|window| window == sought)
}

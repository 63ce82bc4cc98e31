//! One event of a stream: what a client must know of it, found without reading the document in it.

use std::time::Duration;

use crate::position::Position;

#[derive(Debug)]
pub struct Event {
    pub kind: Kind,
    pub position: Option<Position>,
    pub tag: Option<Box<str>>,
    pub ack_id: Option<Box<str>>,
    /// How long to wait before coming back, from now on.
    pub retry: Option<Duration>,
}

#[derive(Debug)]
pub enum Kind {
    /// A document, of one flag or of all.
    Document,
    Heartbeat,
    Goodbye {
        reason: Box<str>,
        after: Option<Duration>,
    },
    /// A comment, or a type that this client does not know.
    Other,
}

impl Event {
    /// The lines between two empty ones.
    pub fn of(block: &str) -> Event {
        let mut event =
            Event { kind: Kind::Other, position: None, tag: None, ack_id: None, retry: None };
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => event.position = Position::parse(id),
                Some(("retry", retry)) => {
                    event.retry = retry.parse().ok().map(Duration::from_millis);
                }
                Some(("data", data)) => event.read(data),
                _ => {}
            }
        }
        event
    }

    fn read(&mut self, data: &str) {
        // What is the client's to know stands before the document.
        let data = data.split_once("\"document").map_or(data, |(before, _)| before);
        self.tag = text(data, "\"etag\":\"").map(|tag| tag.replace("\\\"", "\"").into());
        self.ack_id = text(data, "\"ackId\":\"").map(Box::from);
        self.kind = match text(data, "\"type\":\"") {
            Some("strategy" | "strategies") => Kind::Document,
            Some("heartbeat") => Kind::Heartbeat,
            Some("goodbye") => {
                let after = data
                    .split_once("\"afterMs\":")
                    .map(|(_, rest)| rest.trim_end_matches(|c: char| !c.is_ascii_digit()));
                let after = after.map(|after| {
                    after.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()
                });
                Kind::Goodbye {
                    reason: text(data, "\"reason\":\"").unwrap_or_default().into(),
                    after: after.and_then(|after| after.parse().ok()).map(Duration::from_millis),
                }
            }
            _ => Kind::Other,
        };
    }
}

/// What stands after a name, up to a quote that no backslash takes back.
fn text<'a>(data: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = data.split_once(name)?;
    let end =
        rest.match_indices('"').find(|(at, _)| *at == 0 || rest.as_bytes()[at - 1] != b'\\')?;
    Some(&rest[..end.0])
}

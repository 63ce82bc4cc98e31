//! Streams of events, as a server that publishes and readers who poll see them.

use serde_json::{Value as Json, json};

use crate::server::Server;
use crate::wire::{Answer, Wire};

/// A page, or what it was refused with.
pub struct EventPage {
    pub status: u16,
    pub events: Vec<(String, Json)>,
    pub cursor: String,
    pub has_more: bool,
}

/// An event of a stream: its id, and data that says its number.
pub fn event(id: &str, number: u64) -> Json {
    json!({ "id": id, "type": "proof", "data": { "n": number } })
}

/// A connection of the server that publishes.
pub fn publisher(server: &Server) -> Result<Wire, String> {
    Wire::admin(server.public, crate::server::SERVER_KEY)
        .map_err(|error| format!("cannot reach the public listener: {error}"))
}

pub fn publish(wire: &mut Wire, stream: &str, events: &[Json]) -> std::io::Result<Answer> {
    let body = json!({ "events": events }).to_string();
    wire.post(&format!("/v1/feeds/lane/{stream}"), &body)
}

/// Polls behind a cursor; an empty one is the start.
pub fn poll(wire: &mut Wire, stream: &str, cursor: &str, limit: u64) -> std::io::Result<EventPage> {
    // Without a cursor a poll begins at the start.
    let behind = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
    let answer = wire.get(&format!("/v1/feeds/lane/{stream}?limit={limit}{behind}"))?;
    let body = answer.json();
    let event =
        |event: &Json| (event["id"].as_str().unwrap_or_default().to_owned(), event["data"].clone());
    Ok(EventPage {
        status: answer.status,
        events: body["events"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(event)
            .collect(),
        cursor: body["cursor"].as_str().unwrap_or_default().to_owned(),
        has_more: body["hasMore"] == true,
    })
}

/// Every id of a stream from its start, and the cursor of its end.
pub fn drain(wire: &mut Wire, stream: &str) -> Result<(Vec<String>, String), String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = poll(wire, stream, &cursor, 1000).map_err(|error| error.to_string())?;
        match page.status {
            200 => {}
            // Nothing was published yet.
            404 if cursor.is_empty() => return Ok((ids, cursor)),
            status => return Err(format!("{stream} was answered {status}")),
        }
        ids.extend(page.events.into_iter().map(|(id, _)| id));
        cursor = page.cursor;
        if !page.has_more {
            return Ok((ids, cursor));
        }
    }
}

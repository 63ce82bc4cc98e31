//! The text of an event (WHATWG HTML §9.2, server-sent events): one line of JSON. Events are
//! distinguished by their `type` member, as a browser's `EventSource` passes all events of the
//! default name to one function. The event's id is a position.

use std::io::Write;

use bytes::Bytes;
pub use turnout_api::watch::CloseReason;

use crate::snapshot::Position;

/// What the first event of a stream says besides its state.
pub struct StreamHello {
    /// The name under which the stream is acknowledged.
    pub ack_id: String,
    /// Milliseconds between two heartbeats.
    pub heartbeat_ms: u64,
    /// How long a client waits before it reconnects after the stream broke, in milliseconds.
    pub retry_ms: u64,
}

/// What the `id` of an event is, by which a client that comes back says what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventIds {
    /// The position of the state it carries.
    Positions,
    /// The cursor of the events it carries; one that carries a state has none, and says its
    /// position beside it.
    Cursors,
}

/// What precedes the state of all flags; [`END`] follows it.
pub fn head(
    kind: &str,
    member: &str,
    position: Position,
    etag: &Bytes,
    first: Option<&StreamHello>,
) -> Bytes {
    let mut event = Vec::with_capacity(192);
    open(&mut event, kind, position, etag, first, EventIds::Positions);
    write(&mut event, format_args!(",\"{member}\":"));
    event.into()
}

/// The end of an event.
pub const END: Bytes = Bytes::from_static(b"}\n\n");

/// The state of one flag.
pub fn state(
    kind: &str,
    member: &str,
    position: Position,
    etag: &Bytes,
    state: &[u8],
    first: Option<&StreamHello>,
    ids: EventIds,
) -> Bytes {
    let mut event = Vec::with_capacity(state.len() + 224);
    open(&mut event, kind, position, etag, first, ids);
    write(&mut event, format_args!(",\"{member}\":"));
    event.extend_from_slice(state);
    event.extend_from_slice(b"}\n\n");
    event.into()
}

/// An event without a state: a heartbeat, or a notice that there is a state to ask for. It carries
/// the tag that the client must hold by now.
pub fn tag(kind: &str, position: Position, etag: &Bytes, first: Option<&StreamHello>) -> Bytes {
    let mut event = Vec::with_capacity(128);
    open(&mut event, kind, position, etag, first, EventIds::Positions);
    event.extend_from_slice(b"}\n\n");
    event.into()
}

/// A heartbeat of a realtime stream, with the time in milliseconds since 1970.
pub fn heartbeat_of_realtime(position: Position, etag: &Bytes, wall_ms: i64) -> Bytes {
    let mut event = Vec::with_capacity(128);
    open(&mut event, "heartbeat", position, etag, None, EventIds::Cursors);
    write(&mut event, format_args!(",\"time\":{wall_ms}}}\n\n"));
    event.into()
}

/// What OFREP's clients are sent (ADR 8): ask again.
pub fn refetch(position: Position, retry_ms: Option<u64>) -> Bytes {
    let mut event = Vec::with_capacity(96);
    if let Some(retry_ms) = retry_ms {
        write(&mut event, format_args!("retry: {retry_ms}\n"));
    }
    write(
        &mut event,
        format_args!(
            "id: {position}\ndata: {{\"type\":\"refetchEvaluation\",\"etag\":\"r{position}\"}}\n\n"
        ),
    );
    event.into()
}

/// A heartbeat that client code does not see.
pub const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// The last event.
pub fn goodbye(goodbye: CloseReason, after_ms: u64) -> Bytes {
    let reason = goodbye.as_str();
    let data = format!("{{\"type\":\"goodbye\",\"reason\":\"{reason}\",\"afterMs\":{after_ms}}}");
    format!("retry: {after_ms}\ndata: {data}\n\n").into()
}

fn open(
    event: &mut Vec<u8>,
    kind: &str,
    position: Position,
    etag: &Bytes,
    first: Option<&StreamHello>,
    ids: EventIds,
) {
    if let Some(StreamHello { retry_ms, .. }) = first {
        write(event, format_args!("retry: {retry_ms}\n"));
    }
    if ids == EventIds::Positions {
        write(event, format_args!("id: {position}\n"));
    }
    write(event, format_args!("data: {{\"type\":\"{kind}\",\"etag\":\"\\\""));
    // A tag is quoted hex; inside a JSON string its quotes are escaped.
    event.extend_from_slice(
        etag.strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\"")).unwrap_or_default(),
    );
    event.extend_from_slice(b"\\\"\"");
    if ids == EventIds::Cursors {
        write(event, format_args!(",\"position\":\"{position}\""));
    }
    if let Some(StreamHello { ack_id, heartbeat_ms, .. }) = first {
        write(event, format_args!(",\"ackId\":\"{ack_id}\",\"heartbeatMs\":{heartbeat_ms}"));
    }
}

/// Appends to `event`; writing to a vector does not fail.
fn write(event: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = event.write_fmt(text);
}

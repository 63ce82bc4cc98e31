//! Parses server-sent events (WHATWG HTML §9.2.6) from bytes in pieces of any size. This module
//! decides where an event ends and what stands in it; callers decide what that means. Nothing grows
//! without a bound.

/// The most bytes of one line and of one event: four times what the server sends.
pub const MOST_BYTES: usize = 1024 * 1024;

/// One event that has data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The lines of its data, joined.
    pub data: String,
    /// The current id, from this event or from the last one that had any.
    pub id: String,
    /// The event's name; empty for the default one.
    pub name: String,
}

/// An event that exceeds the bound without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// The state of the parser.
#[derive(Clone, Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    /// A line ended by CR, whose LF may still come.
    after_cr: bool,
    /// The first line was read, which a byte order mark may precede.
    begun: bool,
    event: Event,
    has_data: bool,
    retry_ms: Option<u64>,
}

impl Events {
    /// Takes the next piece and returns the events that end in it.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, *byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.take(&line)?);
                }
                _ if self.line.len() == MOST_BYTES => return Err(TooLong),
                byte => self.line.push(*byte),
            }
        }
        Ok(events)
    }

    /// How long a client is to wait before it reconnects, as the last `retry` field said.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Takes one line, without its end; an empty one ends an event.
    fn take(&mut self, line: &[u8]) -> Result<Option<Event>, TooLong> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let begun = std::mem::replace(&mut self.begun, true);
        let line = if begun { line } else { line.strip_prefix(MARK).unwrap_or(line) };
        if line.is_empty() {
            let event = Event { id: self.event.id.clone(), ..Event::default() };
            let event = std::mem::replace(&mut self.event, event);
            return Ok(std::mem::take(&mut self.has_data).then_some(event));
        }
        let text = String::from_utf8_lossy(line);
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.event.data.len() + value.len() > MOST_BYTES {
                    return Err(TooLong);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => self.event.name = value.to_owned(),
            "id" if !value.contains('\0') => self.event.id = value.to_owned(),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry_ms = value.parse().ok().or(self.retry_ms);
            }
            // A comment, or an unknown field.
            _ => {}
        }
        Ok(None)
    }
}

//! What comes on a stream's connection, cut into its head and its events. Bytes are kept only while
//! an event is not whole, so that a stream at rest costs next to nothing.

use std::time::Duration;

use crate::event::Event;

pub enum Heard {
    /// Anything but 200 is a refusal; with it may stand how long to stay away.
    Head {
        status: u16,
        retry_after: Option<Duration>,
    },
    Event(Event),
}

#[derive(Default)]
pub struct Reader {
    kept: Vec<u8>,
    body: Option<Body>,
}

enum Body {
    Plain,
    /// As servers send what has no length on a connection that they mean to keep.
    Chunked(Chunks),
    /// A refusal's, which says nothing more.
    Ignored,
}

impl Reader {
    pub fn take(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) {
        match &mut self.body {
            Some(Body::Ignored) => {}
            Some(Body::Plain) => events(&mut self.kept, bytes, heard),
            Some(Body::Chunked(chunks)) => {
                let mut plain = Vec::with_capacity(bytes.len());
                chunks.open(bytes, &mut plain);
                events(&mut self.kept, &plain, heard);
            }
            None => self.take_head(bytes, heard),
        }
    }

    fn take_head(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) {
        self.kept.extend_from_slice(bytes);
        let Some(end) = self.kept.windows(4).position(|four| four == b"\r\n\r\n") else { return };
        let rest = self.kept.split_off(end + 4);
        let head = String::from_utf8_lossy(&std::mem::take(&mut self.kept)).to_ascii_lowercase();
        let header =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        self.body = Some(match (status, header("transfer-encoding")) {
            (200, Some(_)) => Body::Chunked(Chunks::default()),
            (200, None) => Body::Plain,
            _ => Body::Ignored,
        });
        let retry_after =
            header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        heard.push(Heard::Head { status, retry_after });
        if !rest.is_empty() {
            self.take(&rest, heard);
        }
    }
}

/// Takes every event that is whole, and keeps the rest.
fn events(kept: &mut Vec<u8>, bytes: &[u8], heard: &mut Vec<Heard>) {
    if !kept.is_empty() {
        kept.extend_from_slice(bytes);
        let all = std::mem::take(kept);
        return events(kept, &all, heard);
    }
    let mut rest = bytes;
    while let Some(end) = rest.windows(2).position(|two| two == b"\n\n") {
        heard.extend(std::str::from_utf8(&rest[..end]).ok().map(Event::of).map(Heard::Event));
        rest = &rest[end + 2..];
    }
    kept.extend_from_slice(rest);
}

/// Where in a chunked body the bytes are.
#[derive(Default)]
struct Chunks {
    /// What is still to come of this chunk.
    left: usize,
    /// What was read of the next one's size.
    size: Option<usize>,
}

impl Chunks {
    fn open(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let (these, others) = bytes.split_at(self.left.min(bytes.len()));
                plain.extend_from_slice(these);
                self.left -= these.len();
                bytes = others;
                continue;
            }
            match (char::from(*first).to_digit(16), first, self.size) {
                (Some(digit), ..) => self.size = Some(self.size.unwrap_or(0) * 16 + digit as usize),
                (None, b'\n', Some(size)) => (self.left, self.size) = (size, None),
                _ => {}
            }
            bytes = rest;
        }
    }
}

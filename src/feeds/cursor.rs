//! Cursors: where a reader is in a stream. Opaque to clients, and no secret.
//!
//! A cursor holds the stream's epoch, a position, and a check over both and the stream's name: so a
//! text that was never a cursor of this stream is told apart from one of an earlier epoch.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::limits::MAX_CURSOR_BYTES;
use super::name::StreamKey;

/// The first byte of every cursor.
const VERSION: u8 = 1;
const BYTES: usize = 25;

/// A position of one epoch of a stream: that of the last event a reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub epoch: u64,
    pub position: u64,
}

/// The text was not given out as a cursor of this stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this stream")]
pub struct BadCursor;

impl Cursor {
    pub fn encode(self, stream: &StreamKey) -> String {
        let mut bytes = [VERSION; BYTES];
        bytes[1..9].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[9..17].copy_from_slice(&self.position.to_be_bytes());
        bytes[17..].copy_from_slice(&self.check(stream).to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn decode(text: &str, stream: &StreamKey) -> Result<Cursor, BadCursor> {
        if text.len() > MAX_CURSOR_BYTES {
            return Err(BadCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| BadCursor)?;
        let number = |at: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(part)
        };
        let cursor = Cursor { epoch: number(1), position: number(9) };
        if bytes[0] == VERSION && number(17) == cursor.check(stream) {
            Ok(cursor)
        } else {
            Err(BadCursor)
        }
    }

    /// FNV-1a, 64 bits: it tells mistakes apart, and protects nothing. Who may read is decided
    /// before a cursor is looked at.
    fn check(self, stream: &StreamKey) -> u64 {
        let parts: [&[u8]; 4] = [
            stream.flag().as_str().as_bytes(),
            b"/",
            stream.stream().as_bytes(),
            &[self.epoch.to_be_bytes(), self.position.to_be_bytes()].concat(),
        ];
        parts.iter().flat_map(|part| part.iter()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_out_for_the_stream_is_a_cursor() {
        let stream = StreamKey::parse("build-events", "b-42").unwrap();
        let other = StreamKey::parse("build-events", "b-43").unwrap();
        for (epoch, position) in [(0, 0), (7, 1), (u64::MAX, u64::MAX)] {
            let cursor = Cursor { epoch, position };
            let text = cursor.encode(&stream);
            assert!(text.len() <= MAX_CURSOR_BYTES);
            assert_eq!(Cursor::decode(&text, &stream), Ok(cursor));
            assert_eq!(Cursor::decode(&text, &other), Err(BadCursor), "another stream's");
            let mut bytes = text.clone().into_bytes();
            bytes[20] = if bytes[20] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert_eq!(Cursor::decode(&altered, &stream), Err(BadCursor), "altered");
            for garbage in [&text[1..], &text[..text.len() - 1], &format!("{text}A"), "", "=", "é"]
            {
                assert_eq!(Cursor::decode(garbage, &stream), Err(BadCursor), "{garbage}");
            }
        }
        assert_eq!(Cursor::decode(&"A".repeat(100_000), &stream), Err(BadCursor));
    }
}

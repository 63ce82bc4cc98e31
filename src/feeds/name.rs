//! The names of streams.

use std::fmt;

use hashbrown::Equivalent;

use super::limits::MAX_STREAM_BYTES;
use crate::flag::FlagKey;

/// A stream of a flag. Its name names no user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    flag: FlagKey,
    stream: Box<str>,
}

/// The flag and the stream of a path, which need not be names that a stream can have. Hashes as a
/// [`StreamKey`] does.
#[derive(Clone, Copy, Debug, Hash)]
pub struct StreamNames<'n>(pub &'n str, pub &'n str);

impl StreamKey {
    /// `None` where one of the names does not fit its pattern.
    pub fn parse(flag: &str, stream: &str) -> Option<StreamKey> {
        let flag = flag.parse().ok()?;
        is_stream(stream).then(|| StreamKey { flag, stream: stream.into() })
    }

    pub fn flag(&self) -> &FlagKey {
        &self.flag
    }

    pub fn stream(&self) -> &str {
        &self.stream
    }

    pub fn names(&self) -> StreamNames<'_> {
        StreamNames(self.flag.as_str(), &self.stream)
    }
}

impl Equivalent<StreamKey> for StreamNames<'_> {
    fn equivalent(&self, key: &StreamKey) -> bool {
        key.stream() == self.1 && key.flag().as_str() == self.0
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.flag, self.stream)
    }
}

/// Whether a text is a stream's name.
pub fn is_stream(text: &str) -> bool {
    let rest =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
    (1..=MAX_STREAM_BYTES).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.as_bytes().iter().all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain() {
        let (longest, too_long) = ("a".repeat(128), "a".repeat(129));
        for (text, is_name) in [
            ("b-42", true),
            ("B:4.2_x", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            (".", false),
            ("..", false),
            ("-a", false),
            ("a/b", false),
            ("../x", false),
            ("a b", false),
            ("é", false),
        ] {
            assert_eq!(is_stream(text), is_name, "{text}");
        }
    }
}

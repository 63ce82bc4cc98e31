//! Whether a publish made a stream that no user may read.

use turnout_api::feeds::{PublishResult, ReaderCount, StreamList};

use super::client::FeedClient;
use crate::cli::http_client::{self, CliError};
use crate::feeds::limits::MAX_STREAM_BYTES;
use crate::flag::FlagKey;

/// What a name is made of, in the order of names; the first two and `:` and `_` begin none.
const LETTERS: &[u8] = b"-.0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// Whether the stream has no events but those of this publish, and no readers. Where the list cannot
/// be had, nothing is said.
pub fn is_made_without_readers(
    flag: &FlagKey,
    stream: &str,
    client: &FeedClient,
    result: &PublishResult,
) -> Result<bool, CliError> {
    let before = name_before(stream);
    let after = if before.is_empty() { before } else { format!("?after={before}") };
    let path = format!("/v1/feeds/{flag}{after}");
    let listed = http_client::runtime()?.block_on(client.get::<StreamList>(&path));
    let first = listed.ok().and_then(|list| list.streams.into_iter().next());
    Ok(first.is_some_and(|row| {
        row.stream == stream && row.head == result.accepted && row.readers == ReaderCount::Listed(0)
    }))
}

/// The last name before this one, or nothing: of the streams behind it this one is the first.
fn name_before(stream: &str) -> String {
    let Some((last, start)) = stream.as_bytes().split_last() else { return String::new() };
    let start = String::from_utf8_lossy(start).into_owned();
    let lower = LETTERS.iter().rev().filter(|letter| *letter < last);
    let mut lower = lower.filter(|letter| !start.is_empty() || letter.is_ascii_alphanumeric());
    let Some(lower) = lower.next() else { return start };
    format!("{:z<MAX_STREAM_BYTES$}", format!("{start}{}", char::from(*lower)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feeds::is_stream;

    #[test]
    fn no_name_is_between_a_name_and_the_one_before() {
        for (name, before) in [
            ("b-7", "b-6zz"),
            ("b-", "b"),
            ("b.", "b-zz"),
            ("b0", "b.zz"),
            ("0", ""),
            ("A", "9zz"),
            ("a", "Zzz"),
            ("ba", "b_zz"),
        ] {
            let found = name_before(name);
            let is_right = found.starts_with(before)
                && found.trim_end_matches('z') == before.trim_end_matches('z');
            assert!(is_right && *found < *name, "{name}: {found}");
            assert!(found.is_empty() || is_stream(&found), "{name}: {found}");
        }
        let longest = "b".repeat(MAX_STREAM_BYTES);
        assert_eq!(name_before(&longest).len(), MAX_STREAM_BYTES);
    }
}

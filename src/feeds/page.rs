//! Pages: what a poll gets, and where a page ends.

use bytes::Bytes;

use super::cursor::Cursor;
use super::decide::StoredEvent;
use super::limits::MAX_PAGE_BYTES;
use super::name::StreamKey;
use crate::moment::utc_with_ms;

/// An event as it stands in a page.
#[derive(Clone, Debug)]
pub struct RenderedEvent {
    pub position: u64,
    /// The bytes of its data.
    pub data_bytes: usize,
    pub json: Bytes,
}

impl RenderedEvent {
    pub fn of(stream: &StreamKey, epoch: u64, stored: &StoredEvent) -> RenderedEvent {
        let StoredEvent { position, at_ms, event } = stored;
        let cursor = Cursor { epoch, position: *position }.encode(stream);
        // A text of ASCII without control characters needs no more than its quotes escaped.
        let id = serde_json::to_string(&*event.id).unwrap_or_default();
        let (kind, at, data) = (&event.kind, utc_with_ms(*at_ms), &event.data);
        let json = format!(
            "{{\"id\":{id},\"cursor\":\"{cursor}\",\"type\":\"{kind}\",\"at\":\"{at}\",\"data\":{data}}}"
        );
        RenderedEvent { position: *position, data_bytes: data.len(), json: json.into() }
    }
}

/// How many of these events a page holds: up to the limit and the bytes, but one at least.
pub fn cut(data_bytes: impl IntoIterator<Item = usize>, limit: u32) -> usize {
    cut_within(data_bytes, limit, MAX_PAGE_BYTES)
}

/// The same, within so many bytes.
pub fn cut_within(
    data_bytes: impl IntoIterator<Item = usize>,
    limit: u32,
    max_bytes: usize,
) -> usize {
    let (mut count, mut bytes) = (0, 0usize);
    for more in data_bytes {
        bytes = bytes.saturating_add(more);
        if count >= limit as usize || (count > 0 && bytes > max_bytes) {
            break;
        }
        count += 1;
    }
    count
}

/// The body of a page.
pub fn body<'e>(
    events: impl IntoIterator<Item = &'e RenderedEvent>,
    cursor: &str,
    has_more: bool,
    ended: bool,
) -> Bytes {
    let events: Vec<&RenderedEvent> = events.into_iter().collect();
    let bytes: usize = events.iter().map(|event| event.json.len() + 1).sum();
    let mut body = Vec::with_capacity(bytes + cursor.len() + 64);
    body.extend_from_slice(b"{\"events\":[");
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.json);
    }
    body.extend_from_slice(b"],\"cursor\":\"");
    body.extend_from_slice(cursor.as_bytes());
    body.extend_from_slice(if has_more { b"\",\"hasMore\":true" } else { b"\",\"hasMore\":false" });
    if ended {
        body.extend_from_slice(b",\"ended\":true");
    }
    body.push(b'}');
    body.into()
}

/// The strong tag of a page: it names everything the page depends on. The epoch is the stream's
/// alone.
pub fn etag(epoch: u64, from: u64, to: u64, limit: u32, has_more: bool, ended: bool) -> String {
    let flags = u64::from(has_more) + 2 * u64::from(ended);
    let mut tag = String::with_capacity(TAG_BYTES);
    for (before, number) in
        [('"', epoch), ('-', from), ('-', to), ('-', u64::from(limit)), ('-', flags)]
    {
        tag.push(before);
        push_hex(&mut tag, number);
    }
    tag.push('"');
    tag
}

/// Room for any tag.
const TAG_BYTES: usize = 64;

/// Writes a number as `{:x}` does, in a tenth of its time: every poll has a tag.
fn push_hex(text: &mut String, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = 16 - (number | 1).leading_zeros() / 4;
    for place in (0..digits).rev() {
        text.push(char::from(DIGITS[(number >> (4 * place)) as usize & 15]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_written_as_the_formatter_writes_it() {
        for number in [0, 1, 9, 10, 15, 16, 255, 256, u64::from(u32::MAX), 1 << 60, u64::MAX] {
            let tag = etag(number, 7, number, 50, true, true);
            assert_eq!(tag, format!("\"{number:x}-7-{number:x}-32-3\""));
        }
    }

    #[test]
    fn a_page_ends_at_a_bound_and_holds_one_event_at_least() {
        const KIB: usize = 1024;
        for (what, data, limit, count) in [
            ("none", vec![], 50, 0),
            ("all", vec![1; 50], 50, 50),
            ("the limit", vec![1; 51], 50, 50),
            ("exactly the bytes", vec![32 * KIB; 8], 50, 8),
            ("a byte more", [vec![32 * KIB; 8], vec![1]].concat(), 50, 8),
            ("one that is alone too large", vec![MAX_PAGE_BYTES + 1, 1], 50, 1),
        ] {
            assert_eq!(cut(data, limit), count, "{what}");
        }
    }
}

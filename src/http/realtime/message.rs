//! What a realtime stream says of events (WHATWG HTML §9.2, server-sent events).

use bytes::Bytes;

/// Events behind the place of before. Their cursor is the id: a client that comes back with it has
/// all of them, or none.
pub fn events(page: &[u8], cursor: &str) -> Bytes {
    const KIND: &[u8] = b"{\"type\":\"events\",";
    let body = page.strip_prefix(b"{").unwrap_or(page);
    let mut message = Vec::with_capacity(page.len() + cursor.len() + 64);
    for part in [&b"id: "[..], cursor.as_bytes(), b"\ndata: ", KIND] {
        message.extend_from_slice(part);
    }
    push_lines(&mut message, body);
    message.extend_from_slice(b"\n\n");
    message.into()
}

/// The client has everything there is.
pub const UP_TO_DATE: Bytes = Bytes::from_static(b"data: {\"type\":\"up-to-date\"}\n\n");

/// The client has to begin anew, at this cursor.
pub fn reset(reason: &str, cursor: &str) -> Bytes {
    let data = format!("{{\"type\":\"reset\",\"reason\":\"{reason}\",\"cursor\":\"{cursor}\"}}");
    format!("data: {data}\n\n").into()
}

/// Data may have line ends between its JSON values, as it was published: each line is a field.
fn push_lines(message: &mut Vec<u8>, text: &[u8]) {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if !text.iter().any(is_end) {
        return message.extend_from_slice(text);
    }
    for (index, line) in text.split(is_end).enumerate() {
        if index > 0 {
            message.extend_from_slice(b"\ndata: ");
        }
        message.extend_from_slice(line);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use turnout_api::realtime::{MessageKind, RealtimeMessage};

    use super::*;

    #[test]
    fn a_message_is_of_the_documented_type() {
        let page = br#"{"events":[],"cursor":"c","hasMore":false}"#;
        for (message, kind) in [
            (events(page, "c"), MessageKind::Events),
            (UP_TO_DATE, MessageKind::UpToDate),
            (reset("restored", "c"), MessageKind::Reset),
        ] {
            let text = String::from_utf8(message.to_vec()).unwrap();
            let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            assert_eq!(serde_json::from_str::<RealtimeMessage>(data).unwrap().kind, kind, "{data}");
        }
    }

    #[test]
    fn a_line_end_in_data_ends_no_message() {
        for (page, expected) in [
            ("{\"a\":1}", "id: c\ndata: {\"type\":\"events\",\"a\":1}\n\n"),
            ("{\"a\":\n1}", "id: c\ndata: {\"type\":\"events\",\"a\":\ndata: 1}\n\n"),
            (
                "{\"a\":\r\n\n1}",
                "id: c\ndata: {\"type\":\"events\",\"a\":\ndata: \ndata: \ndata: 1}\n\n",
            ),
        ] {
            assert_eq!(events(page.as_bytes(), "c"), expected, "{page:?}");
        }
    }
}

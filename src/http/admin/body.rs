//! What a JSON Schema cannot say of a body's members: a text is one line, whose length is counted in
//! bytes. No error repeats what was sent.

use crate::http::error::ApiError;

pub fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::InvalidRequest(message.into())
}

/// Checks a member that is one line of text.
pub fn one_line(name: &str, at_most: usize, text: Option<&str>) -> Result<(), ApiError> {
    match text {
        Some(line) if line.len() > at_most || line.contains(breaks_a_line) => {
            Err(invalid_request(format!("`{name}` is one line of text of at most {at_most} bytes")))
        }
        _ => Ok(()),
    }
}

/// Whether a character would end a line in a log or on a terminal, or reverse how it reads.
fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

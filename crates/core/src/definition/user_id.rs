//! What an id in a list may be, in YAML and in a `users_file`.

use crate::flag::MAX_ID_BYTES;

/// What is wrong with an id.
pub struct BadId {
    pub message: String,
    pub hint: &'static str,
}

/// What no list may contain, in YAML or in a `users_file`. The caller decides about blanks around
/// an id.
pub fn bad_id(text: &str) -> Option<BadId> {
    if !(1..=MAX_ID_BYTES).contains(&text.len()) {
        let message = format!("an id has 1 to {MAX_ID_BYTES} bytes, this one {}", text.len());
        let hint = if text.is_empty() {
            "write the id, or remove the entry"
        } else {
            "list each id by itself"
        };
        return Some(BadId { message, hint });
    }
    text.contains(char::is_control).then(|| BadId {
        message: "an id with a control character in it".to_owned(),
        hint: "ids are compared byte for byte: leave out what is not part of it",
    })
}

/// Checks a line of a `users_file`. Blanks around an id are invisible here, and refused; in YAML
/// they stand in quotes, and are meant.
pub fn bad_line(text: &str) -> Option<BadId> {
    bad_id(text).or_else(|| {
        (text.trim() != text).then(|| BadId {
            message: "an id with blanks around it".to_owned(),
            hint: "ids are compared byte for byte: one a line, no blanks",
        })
    })
}

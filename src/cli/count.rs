//! How many of what, in words.

/// `1 flag`, `2 flags`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

//! How many columns of a terminal a text takes: a wide character takes two, and a colour none.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    without_colours(text).width()
}

/// A text without the sequences that choose colours.
pub fn without_colours(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return text.into();
    }
    let mut pieces = text.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or(piece, |(_, rest)| rest));
    }
    plain.into()
}

/// A text with blanks behind it, so that it takes so many columns.
pub fn padded(text: &str, columns: usize) -> String {
    format!("{text}{:blanks$}", "", blanks = columns.saturating_sub(width(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_and_not_characters() {
        for (text, columns) in [
            ("", 0),
            ("abc", 3),
            ("äö", 2),
            ("東京", 4),
            ("e\u{301}", 1),
            ("\u{1b}[1;31merror\u{1b}[0m: x", 8),
        ] {
            assert_eq!(width(text), columns, "{text}");
            assert_eq!(width(&padded(text, 10)), 10, "{text}");
        }
    }
}

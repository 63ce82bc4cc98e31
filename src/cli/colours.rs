//! Colours of screens: red for what is stopped, down or missing, yellow for what is held, green for
//! what is done. Only words of this program are coloured, and only on a terminal.

use std::borrow::Cow;

use super::output;
use crate::telemetry::no_colour;

const RED: &str = "31";
const YELLOW: &str = "33";
const GREEN: &str = "32";

/// Words and their colours. None of them is a part of another.
const WORDS: [(&str, &str); 8] = [
    ("STOPPED", RED),
    ("DOWN", RED),
    ("NOT BELIEVED", RED),
    ("NOT SOUND", RED),
    (" missing", RED),
    ("held by", YELLOW),
    ("not live", YELLOW),
    ("   done", GREEN),
];

/// Prints a screen, in colours where a person reads it.
pub fn print_screen(text: &str) {
    if output::prints_to_a_terminal() && !no_colour() {
        output::print_styled(&coloured(text));
    } else {
        output::print(text);
    }
}

fn coloured(text: &str) -> Cow<'_, str> {
    WORDS.iter().fold(Cow::Borrowed(text), |text, (word, colour)| {
        // Nothing is wrong where none is missing.
        if !text.contains(word) || *word == " missing" && text.contains(" 0 missing") {
            return text;
        }
        Cow::Owned(text.replace(word, &format!("\u{1b}[{colour}m{word}\u{1b}[0m")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_coloured() {
        for (text, wanted) in [
            ("chat  realtime-v2 10%", "chat  realtime-v2 10%"),
            ("chat  STOPPED (polling)", "chat  \u{1b}[31mSTOPPED\u{1b}[0m (polling)"),
            ("3 streams: 3 confirmed, 0 missing", "3 streams: 3 confirmed, 0 missing"),
            ("1 of 3 missing", "1 of 3\u{1b}[31m missing\u{1b}[0m"),
            ("10%   held by oncall", "10%   \u{1b}[33mheld by\u{1b}[0m oncall"),
            ("2 of 2 hold it   done", "2 of 2 hold it\u{1b}[32m   done\u{1b}[0m"),
        ] {
            assert_eq!(coloured(text), wanted);
        }
    }
}

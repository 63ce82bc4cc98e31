//! Colours of lines on a person's terminal: red for an error and for what is stopped, yellow for a
//! warning and for what is held. Only words of this program are coloured.

use std::io::{self, IsTerminal};

use super::record::LogFormat;

pub const RED: &str = "31";
pub const YELLOW: &str = "33";

/// Levels as they stand behind the time of a line, and words of messages.
const WORDS: [(&str, &str); 4] = [
    (" ERROR ", RED),
    (" WARN ", YELLOW),
    ("; STOPPED: ", RED),
    ("; held over its file: ", YELLOW),
];

/// Whether colour is unwanted (<https://no-color.org>).
pub fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether lines go to a terminal whose reader wants colours.
pub fn is_wanted(format: LogFormat) -> bool {
    format == LogFormat::Text && io::stderr().is_terminal() && !no_colour()
}

/// A text in this colour, by the sequences of ECMA-48 (SGR).
pub fn painted(text: &str, colour: &str) -> String {
    format!("\u{1b}[{colour}m{text}\u{1b}[0m")
}

/// A line with its first words of each kind coloured.
pub fn coloured(line: &str) -> String {
    WORDS.iter().fold(line.to_owned(), |line, (word, colour)| {
        let name = word.trim_matches([' ', ';', ':']);
        line.replacen(word, &word.replace(name, &painted(name, colour)), 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_in_a_line_is_coloured() {
        let line = |level: &str, text: &str| format!("2026-11-27T08:15:00.042Z {level} x: {text}");
        let (red, yellow, end) = ("\u{1b}[31m", "\u{1b}[33m", "\u{1b}[0m");
        for (level, text, wanted) in [
            ("INFO", "serving flags", line("INFO", "serving flags")),
            ("WARN", "chat waits", line(&format!("{yellow}WARN{end}"), "chat waits")),
            ("ERROR", "no room", line(&format!("{red}ERROR{end}"), "no room")),
            (
                "INFO",
                "2 flags; STOPPED: a; held over its file: b",
                line(
                    "INFO",
                    &format!("2 flags; {red}STOPPED{end}: a; {yellow}held over its file{end}: b"),
                ),
            ),
        ] {
            assert_eq!(coloured(&line(level, text)), wanted);
        }
    }
}

//! Colours of screens: red for what is stopped, down or missing, yellow for what is held, green for
//! what is done. Only words of this program are coloured, and only on a terminal.

use std::borrow::Cow;

use super::output;
use crate::telemetry::{RED, YELLOW, no_colour, painted};

const GREEN: &str = "32";

/// Words and their colours. None of them is a part of another.
const WORDS: [(&str, &str); 11] = [
    ("STOPPED", RED),
    ("DOWN", RED),
    ("NOT BELIEVED", RED),
    ("NOT SOUND", RED),
    (" missing", RED),
    ("held by", YELLOW),
    ("not live", YELLOW),
    ("  stopped  ", RED),
    ("  held     ", YELLOW),
    ("  pinned   ", YELLOW),
    ("   done", GREEN),
];

/// Prints a screen, in colours where a person reads it.
pub fn print_screen(text: &str) {
    if is_coloured() {
        output::print_styled(&coloured(text));
    } else {
        output::print_lines(text);
    }
}

/// Prints a table of flags: of each named flag the cell that says who holds it is yellow.
pub fn print_flags(text: &str, held: &[(&str, String)]) {
    if is_coloured() {
        output::print_styled(&coloured(&with_held(text, held)));
    } else {
        output::print_lines(text);
    }
}

/// Prints problems, the code of each in red.
pub fn print_problems(text: &str) {
    if is_coloured() {
        output::print_styled(&text.split_inclusive('\n').map(with_code).collect::<String>());
    } else {
        output::print_lines(text);
    }
}

fn is_coloured() -> bool {
    output::prints_to_a_terminal() && !no_colour()
}

/// A row begins with its flag; where it has no room, it goes on in lines that are indented.
fn with_held(text: &str, held: &[(&str, String)]) -> String {
    let mut waiting: Option<&str> = None;
    let line = |line: &str| {
        if !line.starts_with(' ') {
            let flag = line.split_whitespace().next();
            let of_row = held.iter().find(|(name, _)| Some(*name) == flag);
            waiting = of_row.map(|(_, cell)| cell.as_str());
        }
        // The cell stands behind two blanks, so that no part of another one is taken for it.
        let found = waiting.and_then(|cell| Some((cell, line.rfind(&format!("  {cell}"))?)));
        let Some((cell, at)) = found else { return line.to_owned() };
        waiting = None;
        let (before, rest) = line.split_at(at + 2);
        format!("{before}{}{}", painted(cell, YELLOW), rest.get(cell.len()..).unwrap_or(""))
    };
    text.split_inclusive('\n').map(line).collect()
}

/// `  bad-share: the share of …`, with its first word in red.
fn with_code(line: &str) -> String {
    let code = line.strip_prefix("  ").and_then(|rest| rest.split_once(": "));
    match code {
        Some((code, rest)) if !matches!(code, "help" | "since") && !code.contains(' ') => {
            format!("  {}: {rest}", painted(code, RED))
        }
        _ => line.to_owned(),
    }
}

fn coloured(text: &str) -> Cow<'_, str> {
    WORDS.iter().fold(Cow::Borrowed(text), |text, (word, colour)| {
        // Nothing is wrong where none is missing.
        if !text.contains(word) || *word == " missing" && text.contains(" 0 missing") {
            return text;
        }
        Cow::Owned(text.replace(word, &painted(word, colour)))
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

    #[test]
    fn who_holds_a_flag_is_yellow_in_its_row() {
        let held = [("chat", "oncall until 16:02 UTC".to_owned())];
        let yellow = "\u{1b}[33moncall until 16:02 UTC\u{1b}[0m";
        for (row, wanted) in [
            ("chat  10%  oncall until 16:02 UTC  3\n", format!("chat  10%  {yellow}  3\n")),
            ("chat  10%\n  oncall until 16:02 UTC  3\n", format!("chat  10%\n  {yellow}  3\n")),
            ("b  1%\n  oncall until 16:02 UTC\n", "b  1%\n  oncall until 16:02 UTC\n".to_owned()),
        ] {
            assert_eq!(with_held(row, &held), wanted, "{row}");
        }
    }
}

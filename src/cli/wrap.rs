//! Lines that fit the terminal: a line that is too long goes on in the next one, indented.

/// Where a line is best broken: between two parts of it, before a command, before a remark, between two
/// words.
const BREAKS: [&str; 4] = ["   ", " turnout", " (", " "];
/// The blanks before the rest of a line.
const INDENT: usize = 2;

/// The lines of a text, each broken where it has more than `columns`; a word that is longer than a
/// line is left whole. Where there is no width, such as in a pipe, nothing is broken.
pub fn wrapped(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let lines = text.split_inclusive('\n').map(|line| {
        let end = if line.ends_with('\n') { "\n" } else { "" };
        lines_of(line.trim_end_matches('\n'), columns).join("\n") + end
    });
    lines.collect()
}

/// The lines that one line becomes.
pub fn lines_of(line: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut rest, mut indent) = (Vec::new(), line, 0);
    while indent + rest.chars().count() > columns {
        let Some((before, after)) = broken(rest, columns.saturating_sub(indent)) else { break };
        lines.push(format!("{:indent$}{}", "", before.trim_end()));
        (rest, indent) = (after.trim_start(), INDENT);
    }
    lines.push(format!("{:indent$}{rest}", ""));
    lines
}

/// A text before and after the last good break within so many characters; else the first one there is.
fn broken(text: &str, columns: usize) -> Option<(&str, &str)> {
    let start = text.len() - text.trim_start().len();
    // One character more than fits: a break may stand where the line ends.
    let end = text.char_indices().nth(columns + 1).map_or(text.len(), |(at, _)| at);
    let head = text.get(start..end)?;
    let within = BREAKS.iter().find_map(|found| head.rfind(found));
    let at = within.filter(|at| *at > 0).or_else(|| text.get(start..)?.find(' '))?;
    text.split_at_checked(start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_where_it_reads_best() {
        for (text, columns, wanted) in [
            ("short", 20, "short"),
            (
                "file chat 30% -> 60% (not live: held at 33%)",
                80,
                "file chat 30% -> 60% (not live: held at 33%)",
            ),
            (
                "file chat 30% -> 60% (not live: held at 33%)",
                30,
                "file chat 30% -> 60%\n  (not live: held at 33%)",
            ),
            (
                "revision 6   chat   saved: 5%   held by oncall",
                32,
                "revision 6   chat   saved: 5%\n  held by oncall",
            ),
            (
                "stopped; to lift that: turnout resume a",
                38,
                "stopped; to lift that:\n  turnout resume a",
            ),
            ("one two three four", 7, "one two\n  three\n  four"),
            ("  two words", 6, "  two\n  words"),
            ("averylongword and", 5, "averylongword\n  and"),
            ("averylongword", 5, "averylongword"),
            ("a b\nc d", 1, "a\n  b\nc\n  d"),
            ("ä ö ü", 3, "ä ö\n  ü"),
            ("", 5, ""),
        ] {
            assert_eq!(wrapped(text, Some(columns)), wanted, "{text} {columns}");
            assert_eq!(wrapped(text, None), text);
        }
    }
}

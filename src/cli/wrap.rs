//! Lines that fit the terminal: a line that is too long goes on in the next one, indented. A command
//! that a person may copy stays on one line, and so does a path. Of a finding that is drawn with its
//! source, the message and the hint are broken; the lines of the file and their marks are not.

use super::width::{width, without_colours};

/// Where a line is best broken: between two parts of it, before a command, before a remark, between two
/// words.
const BREAKS: [&str; 4] = ["   ", " turnout", " (", " "];
/// The blanks before the rest of a line, besides its own.
const INDENT: usize = 2;
/// How the hint of a finding begins that is drawn.
const DRAWN_HELP: &str = "= help: ";
/// Where a command in a sentence ends.
const ENDS: [&str; 6] = [";", ", ", ": ", " (", ")", "   "];

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
    let plain = without_colours(line);
    if is_of_a_drawing(&plain) {
        return vec![line.to_owned()];
    }
    let own = plain.trim_start();
    let hang = if own.starts_with(DRAWN_HELP) { DRAWN_HELP.len() } else { INDENT };
    let further = plain.len() - own.len() + hang;
    let (mut lines, mut rest, mut indent) = (Vec::new(), line, 0);
    while indent + width(rest.trim_end()) > columns {
        let follows_a_colon = lines.last().is_some_and(|line: &String| line.ends_with(':'));
        let is_to_copy = follows_a_colon || lines.is_empty() && plain.starts_with(' ');
        let room = columns.saturating_sub(indent);
        let Some((before, after)) = broken(rest, room, is_to_copy) else { break };
        lines.push(format!("{:indent$}{}", "", before.trim_end()));
        (rest, indent) = (after.trim_start(), further);
    }
    lines.push(format!("{:indent$}{rest}", ""));
    lines
}

/// Whether it is a line of a file, as a finding is drawn with it, or marks a place in one.
fn is_of_a_drawing(plain: &str) -> bool {
    let own =
        plain.trim_start_matches(|character: char| character == ' ' || character.is_ascii_digit());
    ["|", "...", "--> "].iter().any(|begin| own.starts_with(begin))
}

/// A text before and after the best break within so many columns; else the first break there is.
fn broken(text: &str, columns: usize, is_to_copy: bool) -> Option<(&str, &str)> {
    let (start, end) = (text.len() - text.trim_start().len(), text.trim_end().len());
    let kept = kept_whole(text, columns, is_to_copy);
    let is_within = |at: &usize| (start + 1..end).contains(at);
    let is_break =
        |at: &usize| is_within(at) && kept.iter().all(|(from, to)| at < from || at >= to);
    let breaks = || text.match_indices(' ').map(|(at, _)| at).filter(is_break);
    let columns_before = |at: usize| width(text.get(..at).unwrap_or_default().trim_end());
    let fitting = || breaks().filter(|at| columns_before(*at) <= columns);
    let follows = |at: usize, what: &str| text.get(at..).is_some_and(|rest| rest.starts_with(what));
    // A break that leaves the better part of the line empty is no good one.
    let is_late = |at: &usize| columns_before(*at) * 2 >= columns;
    let of_kind = |what: &&str| fitting().rfind(|at| is_late(at) && follows(*at, what));
    let best = BREAKS.iter().find_map(of_kind);
    let at = best.or_else(|| fitting().next_back()).or_else(|| breaks().next())?;
    text.split_at_checked(at)
}

/// Where a text must not be broken: commands of this program, and what stands in backticks. What is
/// longer than a line is broken all the same, except a command that is to be copied: one in backticks,
/// after a colon, or at the start of a text that `is_to_copy`.
fn kept_whole(text: &str, columns: usize, is_to_copy: bool) -> Vec<(usize, usize)> {
    let fits = |(from, to): &(usize, usize)| {
        let before = text.get(..*from).unwrap_or_default();
        let is_to_copy = before.ends_with(": ") || is_to_copy && before.trim_start().is_empty();
        text.get(*from..*to).is_some_and(|part| {
            part.starts_with("`turnout ")
                || part.starts_with("turnout ") && is_to_copy
                || width(part) <= columns
        })
    };
    let ticks: Vec<usize> = text.match_indices('`').map(|(at, _)| at).collect();
    let quoted = ticks.chunks_exact(2).map(|pair| (pair[0], pair[1] + 1));
    let commands = text.match_indices("turnout ").filter(|(at, _)| {
        text.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with(' '))
    });
    let command = |(from, _): (usize, &str)| {
        let rest = text.get(from..).unwrap_or_default();
        let end = ENDS.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        (from, from + end)
    };
    quoted.chain(commands.map(command)).filter(fits).collect()
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
            ("one (two three four five)", 20, "one (two three four\n  five)"),
            ("  two words", 6, "  two\n    words"),
            ("averylongword and", 5, "averylongword\n  and"),
            ("averylongword", 5, "averylongword"),
            ("a b\nc d", 1, "a\n  b\nc\n  d"),
            ("ä ö ü", 3, "ä ö\n  ü"),
            ("東京 大阪 京都", 9, "東京 大阪\n  京都"),
            ("\u{1b}[31mred\u{1b}[0m red red", 7, "\u{1b}[31mred\u{1b}[0m red\n  red"),
            ("", 5, ""),
        ] {
            assert_eq!(wrapped(text, Some(columns)), wanted, "{text} {columns}");
            assert_eq!(wrapped(text, None), text);
        }
    }

    #[test]
    fn a_command_to_copy_stays_on_one_line() {
        for (text, columns, wanted) in [
            (
                "stopped by oncall; type: turnout resume chat --reason '…'; then look",
                50,
                "stopped by oncall; type:\n  turnout resume chat --reason '…'; then look",
            ),
            (
                "to lift that, type: turnout resume chat --reason '…'",
                24,
                "to lift that, type:\n  turnout resume chat --reason '…'",
            ),
            (
                "as it was: `turnout set chat 5% --reason x` does it",
                20,
                "as it was:\n  `turnout set chat 5% --reason x`\n  does it",
            ),
            ("it takes `one of three` and more", 24, "it takes `one of three`\n  and more"),
            ("it takes `one of three` and", 18, "it takes\n  `one of three`\n  and"),
            // A sentence that is longer than a line, and begins as a command does.
            ("turnout status lists the flags", 20, "turnout status lists\n  the flags"),
            ("a ` b c d e", 6, "a ` b\n  c d\n  e"),
        ] {
            assert_eq!(wrapped(text, Some(columns)), wanted, "{text} {columns}");
        }
    }

    #[test]
    fn of_a_drawing_only_messages_are_broken() {
        let drawn = "error[bad-share]: a share is written with a per cent sign\n \
                     --> flags/chat.yaml:9:25\n  |\n9 | rollout: { realtime-v2: 10 }\n  |                         ^^\n  |\n  \
                     = help: write 10% or say what else was meant";
        let wanted = "error[bad-share]: a share is\n  written with a per cent sign\n \
                      --> flags/chat.yaml:9:25\n  |\n9 | rollout: { realtime-v2: 10 }\n  |                         ^^\n  |\n  \
                      = help: write 10% or say\n          what else was meant";
        assert_eq!(wrapped(drawn, Some(30)), wanted);
    }
}

//! Makes text of unknown origin safe to show. Floor 0, pure.
//!
//! Names, reasons, file names and messages come from everyone who may write a file, hold a token or
//! run a server. On a terminal a control character in them moves the cursor or rewrites the title,
//! a direction mark reverses a name, and a line break begins a line of its own; in the log of a CI
//! runner a line that begins with `::` is a command. Hidden characters are written as JSON escapes,
//! so one form is right in plain text and inside a JSON string.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Beginnings of lines that CI runners take for commands (GitHub's, old and new, and Azure's).
const COMMANDS: [&str; 3] = ["::", "##[", "##vso["];

/// Characters that a program may draw as nothing: the property Default_Ignorable_Code_Point of
/// Unicode 16.0 (<https://www.unicode.org/Public/16.0.0/ucd/DerivedCoreProperties.txt>). Its ranges
/// already contain characters that are assigned later.
const IGNORABLE: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),       // soft hyphen
    ('\u{34f}', '\u{34f}'),     // combining grapheme joiner
    ('\u{61c}', '\u{61c}'),     // Arabic letter mark
    ('\u{115f}', '\u{1160}'),   // fillers of Hangul
    ('\u{17b4}', '\u{17b5}'),   // inherent vowels of Khmer
    ('\u{180b}', '\u{180f}'),   // variation selectors of Mongolian
    ('\u{200b}', '\u{200f}'),   // no width, joiners, marks of direction
    ('\u{202a}', '\u{202e}'),   // embedding and overriding the direction
    ('\u{2060}', '\u{206f}'),   // word joiner, invisible operators, isolates
    ('\u{3164}', '\u{3164}'),   // filler of Hangul
    ('\u{fe00}', '\u{fe0f}'),   // variation selectors
    ('\u{feff}', '\u{feff}'),   // byte order mark
    ('\u{ffa0}', '\u{ffa0}'),   // filler of Hangul, half as wide
    ('\u{fff0}', '\u{fff8}'),   // not assigned
    ('\u{1bca0}', '\u{1bca3}'), // controls of shorthand
    ('\u{1d173}', '\u{1d17a}'), // controls of music
    ('\u{e0000}', '\u{e0fff}'), // tags, further variation selectors
];

/// Characters without that property that are drawn as nothing, or break or reorder a line.
const BLANK: [(char, char); 6] = [
    ('\u{2028}', '\u{2029}'),   // separators of lines and paragraphs
    ('\u{2800}', '\u{2800}'),   // blank pattern of Braille
    ('\u{fff9}', '\u{fffb}'),   // annotations between the lines
    ('\u{13430}', '\u{1343f}'), // controls of hieroglyphs
    ('\u{16fe4}', '\u{16fe4}'), // filler of Khitan
    ('\u{1d159}', '\u{1d159}'), // null notehead
];

/// Whether a reader does not see the character although it changes what is shown, or makes two
/// different texts look alike: controls, direction marks, line separators, and what is drawn as
/// nothing. The variation selector in an emoji is one of them; it is shown escaped behind its
/// emoji.
pub fn is_hidden(character: char) -> bool {
    let is_in = |(first, last): &(char, char)| (*first..=*last).contains(&character);
    // Most texts consist of these.
    !matches!(character, ' '..='~')
        && (character.is_control() || IGNORABLE.iter().chain(&BLANK).any(is_in))
}

/// A text as part of one line.
///
/// ```
/// assert_eq!(turnout_core::display_text::line("a\n\u{202e}b"), r"a\u000a\u202eb");
/// ```
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// A text of several lines: line breaks and tabs stay, and no line reads as a runner's command.
pub fn lines(text: &str) -> Cow<'_, str> {
    let text = characters(text);
    if !text.lines().any(is_command) {
        return text;
    }
    let mut plain = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let begin = line.len() - line.trim_start().len();
        let escapes = usize::from(is_command(line));
        plain.push_str(&line[..begin]);
        line[begin..]
            .chars()
            .take(escapes)
            .for_each(|character| push_escape(&mut plain, character));
        plain.extend(line[begin..].chars().skip(escapes));
    }
    plain.into()
}

/// Escapes hidden characters only, for a text that may contain commands of its own.
pub fn characters(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_hidden(character) && !matches!(character, '\n' | '\t'))
}

/// A drawing whose colours stay: of the terminal sequences, only those that choose a colour or a
/// weight.
pub fn styled(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut plain = lines(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let parameters = piece
            .find(|character: char| !matches!(character, '0'..='9' | ';'))
            .unwrap_or(piece.len());
        match piece[parameters..].strip_prefix('m') {
            Some(rest) => {
                plain.push_str("\u{1b}[");
                plain.push_str(&piece[..parameters]);
                plain.push('m');
                plain.push_str(&characters(rest));
            }
            None => {
                push_escape(&mut plain, '\u{1b}');
                plain.push('[');
                plain.push_str(&characters(piece));
            }
        }
    }
    plain
}

/// A path as part of a line. One that would read as a command gets `./` before it.
pub fn path(path: &Path) -> String {
    let shown = path.display().to_string();
    let shown = line(&shown);
    if is_command(&shown) { format!("./{shown}") } else { shown.into_owned() }
}

/// A text of the same number of bytes in which nothing is hidden but line breaks and tabs, so that
/// positions in it stay valid.
pub fn of_same_length(text: &str) -> Cow<'_, str> {
    let is_bad = |character: char| is_hidden(character) && !matches!(character, '\n' | '\t' | '\r');
    if !text.contains(is_bad) {
        return text.into();
    }
    let stand_in = |character: char| match (is_bad(character), character.len_utf8()) {
        (false, _) => character,
        (true, 1) => '?',
        (true, 2) => '¿',
        (true, 3) => '\u{fffd}',
        (true, _) => '\u{1fbc4}',
    };
    text.chars().map(stand_in).collect::<String>().into()
}

fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_bad(character) { push_escape(&mut plain, character) } else { plain.push(character) }
    }
    plain.into()
}

/// Escapes a character as JSON does, in one unit or in two.
fn push_escape(into: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing to a `String` does not fail.
        let _ = write!(into, "\\u{unit:04x}");
    }
}

fn is_command(line: &str) -> bool {
    COMMANDS.iter().any(|command| line.trim_start().starts_with(command))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HIDDEN: &str = "\0\x07\x08\x0b\x0c\r\x1b\x7f\u{80}\u{85}\u{9b}\u{9f}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{e0041}";

    #[test]
    fn nothing_hidden_is_left_and_the_rest_stays() {
        for bad in HIDDEN.chars().chain(['\n', '\t']) {
            let text = format!("ä{bad}b");
            assert!(!line(&text).contains(is_hidden), "{bad:?}");
            let several = matches!(bad, '\n' | '\t');
            assert_eq!(lines(&text) == text, several, "{bad:?}");
            assert_eq!(of_same_length(&text).len(), text.len(), "{bad:?}");
            let json = format!("\"{}\"", line(&text));
            assert_eq!(
                serde_json::from_str::<String>(&json).unwrap(),
                text,
                "what is escaped is still the text, for JSON"
            );
        }
        for plain in ["", "plain", "Grüße, 東京", "e\u{301}", "🙂"] {
            assert!(matches!(line(plain), Cow::Borrowed(_)));
            assert_eq!(lines(plain), plain);
        }
    }

    /// Each range of the property by its ends, as in the Unicode Character Database, and the
    /// characters next to it.
    #[test]
    fn whatever_unicode_lets_vanish_is_hidden() {
        for (range, beside) in [
            ("00AD", "00AC 00AE"),
            ("034F", "034E 0350"),
            ("061C", "061B 061D"),
            ("115F 1160", "115E 1161"),
            ("17B4 17B5", "17B3 17B6"),
            ("180B 180C 180D 180E 180F", "180A 1810"),
            ("200B 200C 200D 200E 200F", "200A 2010"),
            ("2028 2029 202A 202B 202C 202D 202E", "2027 202F"),
            ("2060 2061 2062 2063 2064 2065 2066 206F", "205F 2070"),
            ("2800", "27FF 2801"),
            ("3164", "3163 3165"),
            ("FE00 FE0E FE0F", "FDFF FE10"),
            ("FEFF", "FEFE FF01"),
            ("FFA0", "FF9F FFA1"),
            ("FFF0 FFF8 FFF9 FFFA FFFB", "FFEE FFFC FFFD"),
            ("13430 1343F", "1342F 13440"),
            ("16FE4", "16FE3 16FF0"),
            ("1BCA0 1BCA1 1BCA2 1BCA3", "1BC9F"),
            ("1D159", "1D158 1D15A"),
            ("1D173 1D174 1D175 1D176 1D177 1D178 1D179 1D17A", "1D172 1D17B"),
            ("E0000 E0001 E0020 E0041 E007F E0080 E0100 E0101 E01EF E01F0 E0FFF", "DFFFF E1000"),
        ] {
            let characters = |list: &str| -> Vec<char> {
                let read = |code| char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
                list.split(' ').map(read).collect()
            };
            for hidden in characters(range) {
                let text = format!("a{hidden}b");
                assert!(
                    !line(&text).contains(hidden) && !lines(&text).contains(hidden),
                    "U+{:04X}",
                    u32::from(hidden)
                );
                assert!(!of_same_length(&text).contains(hidden), "U+{:04X}", u32::from(hidden));
                let read: String = serde_json::from_str(&format!("\"{}\"", line(&text))).unwrap();
                assert_eq!(read, text);
            }
            for shown in characters(beside) {
                assert!(!is_hidden(shown), "U+{:04X}", u32::from(shown));
            }
        }
        // An emoji stays an emoji; the character that selects its form is shown next to it.
        assert_eq!(line("\u{2764}\u{fe0f} 🙂"), "\u{2764}\\ufe0f 🙂");
        assert_eq!(line("a\u{e0101}b"), r"a\udb40\udd01b");
    }

    #[test]
    fn no_line_reads_as_a_command() {
        for (text, shown) in [
            ("a::b\n", "a::b\n"),
            ("::error::x\n", "\\u003a:error::x\n"),
            ("a\n  ::set-env name=x::y\nb", "a\n  \\u003a:set-env name=x::y\nb"),
            ("\n##[add-path]x", "\n\\u0023#[add-path]x"),
            ("##vso[task]x\r\n", "\\u0023#vso[task]x\\u000d\n"),
        ] {
            assert_eq!(lines(text), shown);
        }
        assert_eq!(path(Path::new("::warning::x")), "./::warning::x");
        assert_eq!(path(Path::new("a\nb")), "a\\u000ab");
    }

    #[test]
    fn of_the_terminals_sequences_only_colours_stay() {
        for (text, shown) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}[2Jgone", "\\u001b[2Jgone"),
            ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007"),
            ("\u{1b}[31", "\\u001b[31"),
            ("\u{1b}[?7l", "\\u001b[?7l"),
            ("\u{9b}31m", "\\u009b31m"),
        ] {
            assert_eq!(styled(text), shown);
        }
    }
}

//! Where the fault of an unreadable text stands, if that is not where the parser stopped: a line
//! above it without its colon, or a bracket or quote that nothing ends.

use granit_parser::ErrorKind;

/// What was mistyped, and where. Nothing of the text is in it: it may name users.
#[derive(Debug, PartialEq)]
pub struct Mistyped {
    /// The byte of the text.
    pub at: usize,
    pub message: &'static str,
    pub help: &'static str,
}

/// What to type for a line of a map.
pub const KEY_AND_VALUE: &str =
    "write `key: value`: a colon after the key, and a blank after the colon";

/// What was mistyped before this byte, where the parser stopped for this reason.
pub fn mistyped(kind: &ErrorKind, text: &str, stopped: usize) -> Option<Mistyped> {
    match kind {
        ErrorKind::CommentInterceptedScalar
        | ErrorKind::MappingValueNotAllowed
        | ErrorKind::ExpectedBlockMappingKey => line_without_colon(text, stopped),
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidIndentation => open_bracket(text, stopped),
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent => open_quote(text, stopped),
        _ => None,
    }
}

/// Whether a text is a key and its value, with no colon or no blank between them, or another sign.
pub fn lacks_colon(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let rest = text.trim_start_matches(word);
    let value = rest.trim_start();
    rest.len() < text.len()
        && !value.is_empty()
        && match rest.strip_prefix([':', '=']) {
            Some(value) => !value.starts_with(' ') && !value.is_empty(),
            None => {
                value.len() < rest.len()
                    && (value.starts_with(['[', '{', '"', '\'']) || !value.contains(' '))
            }
        }
}

/// The first of the lines above that lack a colon and belong to one map with a line that has it.
fn line_without_colon(text: &str, stopped: usize) -> Option<Mistyped> {
    let lines = lines(text);
    let last = lines.iter().rposition(|line| line.start <= stopped)?;
    let (above, below) = lines.split_at(last);
    let next = below.iter().position(|line| line.is_key).unwrap_or_default();
    let (stands, key) = (below.get(..next)?, below.get(next)?);
    let mut found = None;
    if !key.begins_entry {
        let alike = |line: &&Line| !line.is_key && line.column == key.column;
        for line in above.iter().chain(stands).rev().take_while(alike) {
            found = Some(line);
            if line.begins_entry {
                break;
            }
        }
    }
    // A colon with no blank behind it says enough without a neighbour.
    let alone = below.first().filter(|line| !line.is_key && line.content.contains([':', '=']));
    let line = found.or(alone).filter(|line| lacks_colon(line.content))?;
    Some(Mistyped { at: line.start, message: "this line is not `key: value`", help: KEY_AND_VALUE })
}

/// The bracket that is still open, although a line follows that is no further right than its own.
fn open_bracket(text: &str, stopped: usize) -> Option<Mistyped> {
    let (at, bracket) = scan(text, stopped).open.pop()?;
    if is_below(text, at, stopped) {
        let (message, help) = match bracket {
            b'{' => ("this `{` has no `}` that ends it", "add the `}` that ends the map"),
            _ => ("this `[` has no `]` that ends it", "add the `]` that ends the list"),
        };
        return Some(Mistyped { at, message, help });
    }
    None
}

/// The quote of a line above that the quote before this byte ended, which was to begin a text.
fn open_quote(text: &str, stopped: usize) -> Option<Mistyped> {
    let at = scan(text, stopped).quote?;
    is_below(text, at, stopped).then_some(Mistyped {
        at,
        message: "this quote has none on its line that ends it",
        help: "add the quote that ends the text",
    })
}

/// Whether the second place is on a later line than the first, and that line is no further right.
fn is_below(text: &str, above: usize, below: usize) -> bool {
    let line = |at: usize| {
        let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
        let line = text.get(start..)?;
        Some((start, line.len() - line.trim_start_matches(' ').len()))
    };
    match (line(above), line(below)) {
        (Some((first, indent)), Some((second, other))) => first < second && other <= indent,
        _ => false,
    }
}

/// A line with a text that is no comment.
struct Line<'a> {
    /// The byte where its content begins, behind the `- ` of an entry.
    start: usize,
    column: usize,
    begins_entry: bool,
    content: &'a str,
    is_key: bool,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut at = 0;
    let mut lines = Vec::new();
    for whole in text.split_inclusive(['\n', '\r']) {
        let uncommented = whole.find(" #").and_then(|comment| whole.get(..comment));
        let content = uncommented.unwrap_or(whole).trim();
        let mut begun = whole.trim_start();
        let begins_entry = begun.starts_with("- ");
        while let Some(entry) = begun.strip_prefix("- ") {
            begun = entry.trim_start();
        }
        let column = whole.len() - begun.len();
        let content = content.get(content.len().min(column - indent(whole))..).unwrap_or_default();
        if !content.is_empty() && !content.starts_with('#') {
            let is_key = content.contains(": ") || content.ends_with(':');
            lines.push(Line { start: at + column, column, begins_entry, content, is_key });
        }
        at += whole.len();
    }
    lines
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// What a text opens before a byte of it.
#[derive(Default)]
struct Scanned {
    /// The brackets that nothing ended, outermost first.
    open: Vec<(usize, u8)>,
    /// Where the last quoted text began.
    quote: Option<usize>,
}

fn scan(text: &str, stopped: usize) -> Scanned {
    let mut scanned = Scanned::default();
    let mut quoted = None;
    let mut comment = false;
    // Where a value may begin: at the start of a line, and behind a mark of YAML.
    let mut value_begins = true;
    let mut before = b'\n';
    for (at, byte) in text.bytes().enumerate().take(stopped) {
        let escaped = quoted == Some(b'"') && before == b'\\';
        match (quoted, byte) {
            _ if comment => comment = byte != b'\n',
            (Some(mark), _) => {
                if byte == mark && !escaped {
                    quoted = None;
                }
            }
            (None, b'#') if before.is_ascii_whitespace() => comment = true,
            (None, b'"' | b'\'') if value_begins => {
                quoted = Some(byte);
                scanned.quote = Some(at);
            }
            (None, b'{' | b'[') if value_begins || !scanned.open.is_empty() => {
                scanned.open.push((at, byte));
            }
            (None, b'}' | b']') => {
                scanned.open.pop();
            }
            (None, _) => {}
        }
        value_begins = match byte {
            b' ' => value_begins,
            b'\n' | b':' | b'-' | b',' | b'{' | b'[' => true,
            _ => false,
        };
        before = if escaped { b' ' } else { byte };
    }
    scanned
}

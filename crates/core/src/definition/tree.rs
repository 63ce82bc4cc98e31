//! YAML bytes to a tree of nodes that know their position.
//!
//! `granit-parser` implements the grammar; this module decides what a flag file may use of it: one
//! document, no anchors, aliases, merge keys or tags, no duplicate key, and the bounds of
//! [`limits`](super::limits). Scalars stay the text they were written as, so `2.10` is never the
//! number 2.1 and `NO` never a boolean; the meaning of a text is decided where its type is known.

use std::collections::HashSet;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, options};

use super::finding::{Code, Finding, SourceSpan};
use super::limits::{MAX_DEPTH, MAX_NODES, MAX_YAML_BYTES};
use super::mistyped_line::mistyped;
use super::syntax_help::syntax_help;

/// A node and its position.
#[derive(Debug, PartialEq)]
pub struct Node {
    pub place: SourceSpan,
    pub kind: Kind,
}

#[derive(Debug, PartialEq)]
pub enum Kind {
    /// The text after escapes; `plain` if it was written without quotes.
    Scalar {
        text: Box<str>,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Name, Node)>),
}

/// A map's key.
#[derive(Debug, PartialEq)]
pub struct Name {
    pub place: SourceSpan,
    pub text: Box<str>,
}

impl Node {
    /// The kind of the node, for messages.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar { .. } if self.is_null() => "nothing",
            Kind::Scalar { .. } => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// Written as an empty value, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// Reads the one document of a file. On failure there is exactly one finding: the reader stops at
/// the first.
pub fn read(file: &str, bytes: &[u8]) -> Result<Node, Finding> {
    if bytes.len() > MAX_YAML_BYTES {
        let message =
            format!("the file has more than {MAX_YAML_BYTES} bytes, the most a YAML file may have");
        return Err(Finding::of_file(file, Code::TooLarge, message)
            .with_hint("put long id lists into a `users_file`"));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| not_utf8(file, bytes, error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) =
        text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
    {
        let place = place_of_offset(text, at);
        return Err(finding_at(
            file,
            place,
            Code::Binary,
            "a control character: this is no text file",
            None,
        ));
    }
    Builder::new(file, text).document()
}

fn not_utf8(file: &str, bytes: &[u8], valid_up_to: usize) -> Finding {
    let valid = std::str::from_utf8(&bytes[..valid_up_to]).unwrap_or_default();
    let valid = valid.strip_prefix('\u{feff}').unwrap_or(valid);
    let place = place_of_offset(valid, valid.len());
    finding_at(
        file,
        place,
        Code::NotUtf8,
        "a byte that is not UTF-8",
        Some("save the file as UTF-8"),
    )
}

fn place_of_offset(text: &str, at: usize) -> SourceSpan {
    let (mut line, mut column) = (1, 1);
    let mut before = text[..at].chars().peekable();
    while let Some(c) = before.next() {
        let ends_line = c == '\n' || (c == '\r' && before.peek() != Some(&'\n'));
        (line, column) = if ends_line { (line + 1, 1) } else { (line, column + 1) };
    }
    SourceSpan { line: line as u32, column: column as u32, start: at as u32, end: at as u32 }
}

/// The line of this number, from 1.
fn line_at(text: &str, number: usize) -> &str {
    text.lines().nth(number.saturating_sub(1)).unwrap_or_default()
}

fn finding_at(
    file: &str,
    place: SourceSpan,
    code: Code,
    message: impl Into<String>,
    hint: Option<&str>,
) -> Finding {
    let finding = Finding { place: Some(place), ..Finding::of_file(file, code, message) };
    match hint {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

struct Builder<'a> {
    file: &'a str,
    text: &'a str,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn new(file: &'a str, text: &'a str) -> Builder<'a> {
        let options: Options = options! {
            disallow_directives: true,
            emit_comments: false,
            // So that an anchor is reported at its position.
            emit_anchor_events: true,
            // One more than allowed, so that Turnout's own message is reported.
            flow_nesting_limit: MAX_DEPTH + 1,
            block_nesting_limit: MAX_DEPTH + 1,
        };
        Builder { file, text, parser: Parser::new_from_str_with_options(text, options), nodes: 0 }
    }

    fn document(mut self) -> Result<Node, Finding> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::DocumentStart(..) => {}
                _ if root.is_some() => {
                    let message = "a second document: a file holds one flag or one segment";
                    return Err(self.finding(
                        span,
                        Code::SeveralDocuments,
                        message,
                        Some("remove the `---`"),
                    ));
                }
                event => root = Some(self.node(event, span, 1)?),
            }
        }
        match root {
            Some(root) if !root.is_null() => Ok(root),
            _ => Err(Finding::of_file(self.file, Code::Empty, "the file is empty").with_hint(
                "a flag file starts with `version: 1`; a file that vanishes or empties takes nothing out of service",
            )),
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Finding> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Err(Finding::of_file(self.file, Code::Syntax, "the file ends too early")
                .with_hint("add what is missing at its end")),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Finding> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, the most a YAML file may have");
            return Err(self.finding(
                span,
                Code::TooMany,
                message,
                Some("put long id lists into a `users_file`"),
            ));
        }
        if depth > MAX_DEPTH && !matches!(event, Event::Scalar(..)) {
            return Err(self.too_deep(span));
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag) => (*anchor, tag.is_some()),
            _ => (1, false),
        };
        if anchor != 0 {
            let at = match event {
                Event::Alias(_) => span,
                _ => self.next()?.1,
            };
            return Err(self.alias(at));
        }
        if tag {
            let hint = Some("remove the `!…`; types follow from the key");
            return Err(self.finding(
                span.tag_span().unwrap_or(span),
                Code::Tag,
                "tags are not allowed",
                hint,
            ));
        }
        let kind = match event {
            Event::Scalar(text, style, ..) => {
                Kind::Scalar { text: text.into(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => self.list(depth)?,
            _ => self.map(depth)?,
        };
        Ok(Node { place: place(span), kind })
    }

    fn list(&mut self, depth: usize) -> Result<Kind, Finding> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Kind, Finding> {
        let mut entries: Vec<(Name, Node)> = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Kind::Map(entries));
            }
            let Node { place, kind } = self.node(event, span, depth + 1)?;
            let Kind::Scalar { text, plain } = kind else {
                return Err(finding_at(
                    self.file,
                    place,
                    Code::WrongType,
                    "a key must be a single word",
                    Some("write `key: value`; a text that begins with `{` or `[` stands in quotes"),
                ));
            };
            if plain && &*text == "<<" {
                let hint = Some("write the keys out");
                return Err(finding_at(
                    self.file,
                    place,
                    Code::Alias,
                    "merge keys are not allowed",
                    hint,
                ));
            }
            if !seen.insert(text.clone()) {
                // The key is not quoted: where a list of ids was meant, it may be an id.
                let message = "this key stands here a second time";
                return Err(finding_at(
                    self.file,
                    place,
                    Code::DuplicateKey,
                    message,
                    Some("keep one of the two"),
                ));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push((Name { place, text }, value));
        }
    }

    fn scan_error(&self, error: &ScanError) -> Finding {
        let marker = error.marker();
        let at = marker.byte_offset().unwrap_or_default() as u32;
        let place = SourceSpan {
            line: marker.line() as u32,
            column: marker.col() as u32 + 1,
            start: at,
            end: at,
        };
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => self.too_deep(Span::empty(*marker)),
            ErrorKind::UnknownAnchor => self.alias(Span::empty(*marker)),
            _ => {
                let stopped = place.start as usize;
                if let Some(mistyped) = mistyped(error.kind(), self.text, stopped) {
                    let message = format!("not readable as YAML: {}", mistyped.message);
                    let place = place_of_offset(self.text, mistyped.at);
                    return finding_at(
                        self.file,
                        place,
                        Code::Syntax,
                        message,
                        Some(mistyped.help),
                    );
                }
                let text = error.to_string();
                let message = text.split(" at char ").next().unwrap_or(&text);
                let message = format!("not readable as YAML: {message}");
                let hint = syntax_help(error.kind(), line_at(self.text, marker.line()));
                finding_at(self.file, place, Code::Syntax, message, Some(&hint))
            }
        }
    }

    fn alias(&self, span: Span) -> Finding {
        let message =
            "anchors and aliases are not allowed: what a flag says stands where it is said";
        self.finding(span, Code::Alias, message, Some("write the value out"))
    }

    fn too_deep(&self, span: Span) -> Finding {
        let message = format!("more than {MAX_DEPTH} maps and lists inside each other");
        self.finding(span, Code::TooDeep, message, None)
    }

    fn finding(
        &self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        hint: Option<&str>,
    ) -> Finding {
        finding_at(self.file, place(span), code, message, hint)
    }
}

fn place(span: Span) -> SourceSpan {
    let bytes = span.byte_range().unwrap_or(0..0);
    let column = span.start.col() as u32 + 1;
    SourceSpan {
        line: span.start.line() as u32,
        column,
        start: bytes.start as u32,
        end: bytes.end as u32,
    }
}

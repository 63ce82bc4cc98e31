//! What to do about a text that the YAML parser cannot read: one help for each kind of its errors, which says
//! what to type. The parser's own words say where it stopped, and rarely what was mistyped.

use std::borrow::Cow;

use granit_parser::ErrorKind;

use super::finding::Code;
use super::mistyped_line::KEY_AND_VALUE;

/// The help for an error on this line. The line is never quoted: it may name users.
pub fn syntax_help(kind: &ErrorKind, line: &str) -> Cow<'static, str> {
    if is_merge_mark(line) {
        return "keep one side of the merge, and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`"
            .into();
    }
    match kind {
        ErrorKind::UnclosedFlowCollection { open: '{' } => "add the `}` that ends the map".into(),
        ErrorKind::UnclosedFlowCollection { .. } => "add the `]` that ends the list".into(),
        ErrorKind::UnexpectedCharacter { character } if character.is_ascii_graphic() => {
            format!("put a text that begins with the sign {character} in quotes").into()
        }
        kind => fixed(kind).unwrap_or(Code::Syntax.help()).into(),
    }
}

/// What a version control system leaves in a file for a person to settle.
fn is_merge_mark(line: &str) -> bool {
    ["<<<<<<< ", "=======", ">>>>>>> "].iter().any(|mark| line.starts_with(mark))
}

fn fixed(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::InvalidMappingValueWhitespace => "write blanks, not tabs",

        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => KEY_AND_VALUE,
        ErrorKind::ExpectedWhitespace
        | ErrorKind::FlowMappingValueAdjacentCollection
        | ErrorKind::InvalidColonPlacement => "write one blank after the colon, and one colon",
        ErrorKind::MappingValueNotAllowed => {
            "put a text with `: ` in it in quotes, and let all keys of a map begin in one column"
        }
        ErrorKind::MappingKeyNotAllowed
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent => {
            "let all keys of a map, or all `- ` of a list, begin in one column, and what belongs to them two blanks further right"
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            "begin every entry of the list with `- `, all in one column"
        }
        ErrorKind::BlockEntryInFlowCollection | ErrorKind::BlockSequenceEntryNotAllowed => {
            "begin a list on the line below its key, all `- ` in one column, or write `key: [a, b]`"
        }

        ErrorKind::ExpectedFlowMappingSeparator => {
            "put a comma between the keys, and a `}` at the end of the map"
        }
        ErrorKind::ExpectedFlowSequenceSeparator => {
            "put a comma between the entries, and a `]` at the end of the list"
        }
        ErrorKind::ExpectedNodeContent => {
            "write a value there, or remove the comma or the bracket too many"
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            "remove the bracket too many, or add the one that opens"
        }
        ErrorKind::MismatchedFlowCollectionEnd { .. } => "end `[` with `]`, and `{` with `}`",

        ErrorKind::UnclosedQuotedScalar => "add the quote that ends the text",
        ErrorKind::DocumentIndicatorInQuotedScalar => {
            "add the quote that ends the text before this line"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            "end the value with its quote; an apostrophe in '…' is written twice, as in 'it''s'"
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "end the value with its quote; a quote in \"…\" is written as \\\""
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            "write a backslash in \"…\" as two, or put the text in '…'"
        }
        ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => {
            "write the character itself, or its number like \\x41, \\u00e9 or \\U0001f600"
        }

        ErrorKind::PlainScalarStartsWithDashFlowIndicator
        | ErrorKind::UnexpectedEndOfPlainScalar => {
            "put a text that begins with a mark of YAML in quotes"
        }
        ErrorKind::CommentNotSeparated => {
            "put a blank before the `#` of a comment, or a text with `#` in it in quotes"
        }
        ErrorKind::CommentInterceptedScalar => "put the whole text on one line, or in quotes",
        ErrorKind::BomInsideDocument | ErrorKind::UnexpectedCharacter { .. } => {
            "remove the character before the value: it is one that does not show"
        }

        ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => {
            "write `|` or `>` alone after the key, and the text on the lines below, indented"
        }
        ErrorKind::InvalidBlockScalarIndent => {
            "indent every line of the text alike, further than its key"
        }

        ErrorKind::DirectiveDisallowed
        | ErrorKind::MissingDocumentEndBeforeDirective
        | ErrorKind::DuplicateVersionDirective
        | ErrorKind::UnsupportedYamlMajorVersion => "remove the line that begins with `%`",
        ErrorKind::ExpectedDocumentStart | ErrorKind::InvalidDocumentEnd => {
            "remove what stands after the end mark `...`, and the mark: a file is one document"
        }

        // The parser says this of two commas, too.
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            "remove the comma too many, or end the list with `]` and the map with `}`"
        }
        ErrorKind::UnexpectedEof
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofBlockMapping => "add what is missing at the end of the file",

        ErrorKind::MissingAnchorOrAliasName | ErrorKind::AnchorCountOverflow => {
            "write the value out; a text that begins with `&` or `*` stands in quotes"
        }
        ErrorKind::ExpectedTagBang
        | ErrorKind::InvalidGlobalTagCharacter
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::MissingTagUri
        | ErrorKind::UnclosedVerbatimTag
        | ErrorKind::InvalidTagEscape
        | ErrorKind::InvalidTagUtf8LeadingByte
        | ErrorKind::InvalidTagUtf8TrailingByte
        | ErrorKind::InvalidTagUtf8
        | ErrorKind::UndeclaredTagHandle => {
            "remove the `!…`; a text that begins with `!` stands in quotes"
        }
        _ => return None,
    })
}

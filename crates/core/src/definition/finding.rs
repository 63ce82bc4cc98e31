//! What is wrong with a file, where, and how to fix it.
//!
//! A finding is data: the command line prints it with its source, the server logs it as one line.
//! Its message never quotes an entry of an id list: user ids are personal.

use std::sync::Arc;

use crate::display_text;

/// A place in a file: 1-based line and column (in characters), and the bytes it covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceSpan {
    pub line: u32,
    pub column: u32,
    pub start: u32,
    pub end: u32,
}

/// One thing wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    /// The file's path inside the flags folder.
    pub file: Arc<str>,
    pub place: Option<SourceSpan>,
    pub message: String,
    /// How to fix it.
    pub hint: Option<String>,
}

impl Finding {
    pub fn of_file(file: &str, code: Code, message: impl Into<String>) -> Finding {
        Finding {
            code,
            file: file.into(),
            place: None,
            message: one_line(message.into()),
            hint: None,
        }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = Some(one_line(hint.into()));
        self
    }
}

impl Finding {
    /// One line for a log, without the source, as source lines may contain user ids. `shown` turns
    /// a path inside the folder into the one to print.
    pub fn line(&self, shown: impl Fn(&str) -> String) -> String {
        let place = match (&*self.file, self.place) {
            ("", _) => String::new(),
            (file, Some(place)) => {
                format!("{}:{}:{}: ", display_text::line(&shown(file)), place.line, place.column)
            }
            (file, None) => format!("{}: ", display_text::line(&shown(file))),
        };
        let hint = self.hint.as_ref().map(|hint| format!(" (help: {hint})")).unwrap_or_default();
        let level = if self.code.is_note() { "note" } else { "error" };
        format!("{place}{level}[{}]: {}{hint}", self.code.as_str(), self.message)
    }
}

macro_rules! codes {
    ($($code:ident = $text:literal, $says:literal;)*) => {
        /// The stable code of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $says] $code,)* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$code,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$code => $text,)* }
            }

            /// The meaning of the code, in one line.
            pub const fn says(self) -> &'static str {
                match self { $(Code::$code => $says,)* }
            }
        }
    };
}

codes! {
    FolderMissing = "folder-missing", "The folder cannot be read.";
    UnreadableFile = "unreadable-file", "A file cannot be read.";
    VanishedFile = "vanished-file", "A live flag's or segment's file is gone; the last good one stays live.";
    BadFileName = "bad-file-name", "A file's name is no key, or does not end in `.yaml`.";
    TooLarge = "too-large", "A file has more bytes than its kind may have.";
    NotUtf8 = "not-utf8", "A byte that is not UTF-8.";
    Binary = "binary", "A control character: no text file.";
    Empty = "empty", "A file that says nothing.";
    Syntax = "syntax", "Not readable as YAML.";
    SeveralDocuments = "several-documents", "More than one document in a file.";
    Alias = "alias", "Anchors, aliases and merge keys are not allowed.";
    Tag = "tag", "Tags are not allowed.";
    DuplicateKey = "duplicate-key", "A key that stands twice in a map.";
    TooDeep = "too-deep", "Too many maps and lists inside each other.";
    TooMany = "too-many", "More entries than there may be.";
    UnknownKey = "unknown-key", "A key that means nothing here.";
    MissingKey = "missing-key", "A required key is not there.";
    WrongType = "wrong-type", "A value of another type than its key takes.";
    UnsupportedVersion = "unsupported-version", "A version of the format that this build does not read.";
    NotYet = "not-yet", "A part of the format that is not supported yet.";
    NameMismatch = "name-mismatch", "The key in a file is not the one its name has.";
    BadName = "bad-name", "A name that does not fit the pattern of its kind.";
    DuplicateName = "duplicate-name", "A name that was given already.";
    BadStrategy = "bad-strategy", "No strategy, or one that may not stand here.";
    BadShare = "bad-share", "A share that is none, too precise, or over 100 %.";
    BadDuration = "bad-duration", "A duration that is none, too long, or out of order.";
    BadNumber = "bad-number", "A number that is none, or out of its range.";
    BadVersion = "bad-version", "A text that is no dotted version.";
    BadText = "bad-text", "A text that is too long, empty, or none of those allowed.";
    BadId = "bad-id", "An id that is empty, too long, has a control character in it, or, in a `users_file`, blanks around it.";
    BadAddress = "bad-address", "A text that is no address or domain.";
    EmptyEntry = "empty-entry", "A part that says nothing and so could mean anything.";
    UnknownAttribute = "unknown-attribute", "An attribute that is not declared.";
    UnknownWord = "unknown-word", "A value that the attribute's declaration does not list.";
    WrongComparison = "wrong-comparison", "A comparison that the attribute's type does not have.";
    UnknownSegment = "unknown-segment", "A segment of which there is no file.";
    UsersFile = "users-file", "A `users_file` that cannot be used.";
    BadCase = "bad-case", "A test that could not mean anything.";
    FailedTest = "failed-test", "A flag does not answer what its test expects.";
    RetiredKey = "retired-key", "A file for a flag that was given up.";
    SelfTest = "self-test", "This machine does not hash as it must.";
    SharedSalt = "shared-salt", "Note: two flags with one salt, so that the same users come first in both.";
    UnreadFile = "unread-file", "Note: a file that is not read, because of its place or its name.";
}

impl Code {
    /// Whether it is a note for a person, which keeps nothing from going live.
    pub const fn is_note(self) -> bool {
        matches!(self, Code::SharedSalt | Code::UnreadFile)
    }
}

/// The longest message or hint, in characters: it may quote the content of a file.
const MAX_WORDS: usize = 300;

/// The text as one line of bounded length, whatever is quoted in it.
fn one_line(text: String) -> String {
    match text.char_indices().nth(MAX_WORDS) {
        None => display_text::line(&text).into_owned(),
        Some((end, _)) => format!("{}…", display_text::line(&text[..end])),
    }
}

/// A name as it appears in a message: quoted if it is a valid name. Where a list of ids was meant,
/// an id may stand in the place of a name.
pub fn quoted(text: &str) -> String {
    let is_name = text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'<'));
    if is_name { format!("`{text}`") } else { "(not quoted here)".to_owned() }
}

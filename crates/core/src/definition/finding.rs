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
    /// How to fix it: the help of its code, unless the place knows better.
    pub hint: String,
}

impl Finding {
    pub fn of_file(file: &str, code: Code, message: impl Into<String>) -> Finding {
        Finding {
            code,
            file: file.into(),
            place: None,
            message: one_line(message.into()),
            hint: code.help().to_owned(),
        }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = one_line(hint.into());
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
        let level = if self.code.is_note() { "note" } else { "error" };
        format!("{place}{level}[{}]: {} (help: {})", self.code.as_str(), self.message, self.hint)
    }
}

macro_rules! codes {
    ($($code:ident = $text:literal, $says:literal, $help:literal;)*) => {
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

            /// What to do about any finding of this code.
            pub const fn help(self) -> &'static str {
                match self { $(Code::$code => $help,)* }
            }
        }
    };
}

codes! {
    FolderMissing = "folder-missing", "The folder cannot be read.",
        "make the folder, or name another one";
    UnreadableFile = "unreadable-file", "A file cannot be read.",
        "check its permissions";
    VanishedFile = "vanished-file", "A live flag's or segment's file is gone; the last good one stays live.",
        "bring the file back";
    BadFileName = "bad-file-name", "A file's name is no key, or does not end in `.yaml`.",
        "rename the file";
    TooLarge = "too-large", "A file has more bytes than its kind may have.",
        "put long id lists into a `users_file`";
    NotUtf8 = "not-utf8", "A byte that is not UTF-8.",
        "save the file as UTF-8";
    Binary = "binary", "A control character: no text file.",
        "remove the character, or save the file as plain text in UTF-8";
    Empty = "empty", "A file that says nothing.",
        "begin the file with `version: 1`";
    Syntax = "syntax", "Not readable as YAML.",
        "write `key: value`, with a blank after the colon, and indent with blanks";
    SeveralDocuments = "several-documents", "More than one document in a file.",
        "remove the `---`";
    Alias = "alias", "Anchors, aliases and merge keys are not allowed.",
        "write the value out";
    Tag = "tag", "Tags are not allowed.",
        "remove the `!…`; types follow from the key";
    DuplicateKey = "duplicate-key", "A key that stands twice in a map.",
        "keep one of the two";
    TooDeep = "too-deep", "Too many maps and lists inside each other.",
        "write it flatter: no part of a file needs so many levels";
    TooMany = "too-many", "More entries than there may be.",
        "remove some of them";
    UnknownKey = "unknown-key", "A key that means nothing here.",
        "remove it, or write a key that is known here";
    MissingKey = "missing-key", "A required key is not there.",
        "add the key";
    WrongType = "wrong-type", "A value of another type than its key takes.",
        "write a value of the type that the message names";
    UnsupportedVersion = "unsupported-version", "A version of the format that this build does not read.",
        "write `version: 1`";
    NotYet = "not-yet", "A part of the format that is not supported yet.",
        "remove it";
    NameMismatch = "name-mismatch", "The key in a file is not the one its name has.",
        "write the same name in both places";
    BadName = "bad-name", "A name that does not fit the pattern of its kind.",
        "use small letters, digits, `-`, `_` and `.`, at most 64 of them";
    DuplicateName = "duplicate-name", "A name that was given already.",
        "give it another name";
    BadStrategy = "bad-strategy", "No strategy, or one that may not stand here.",
        "write `polling`, `realtime-v2` or `disabled`";
    BadShare = "bad-share", "A share that is none, too precise, or over 100 %.",
        "write a share like 10% or 12.5%, from 0% to 100%";
    BadDuration = "bad-duration", "A duration that is none, too long, or out of order.",
        "like 500ms, 4s, 10m, 2h or 1d";
    BadNumber = "bad-number", "A number that is none, or out of its range.",
        "write a number in that range, without quotes";
    BadVersion = "bad-version", "A text that is no dotted version.",
        "like 2.10, 2.10.1 or 3.0.0-beta.1";
    BadText = "bad-text", "A text that is too long, empty, or none of those allowed.",
        "write another text, of the length that the message names";
    BadId = "bad-id", "An id that is empty, too long, has a control character in it, or, in a `users_file`, blanks around it.",
        "write the id as the application knows it, each one by itself";
    BadAddress = "bad-address", "A text that is no address or domain.",
        "write addresses like jane@example.com, and domains like example.com";
    EmptyEntry = "empty-entry", "A part that says nothing and so could mean anything.",
        "fill it in, or remove it";
    UnknownAttribute = "unknown-attribute", "An attribute that is not declared.",
        "declare it under `attributes`, or remove it here";
    UnknownWord = "unknown-word", "A value that the attribute's declaration does not list.",
        "write one of the declared values, or declare this one";
    WrongComparison = "wrong-comparison", "A comparison that the attribute's type does not have.",
        "`below` and `at_least` are for numbers and versions, `starts_with` and `ends_with` for text";
    UnknownSegment = "unknown-segment", "A segment of which there is no file.",
        "make the segment's file, or remove its name here";
    UsersFile = "users-file", "A `users_file` that cannot be used.",
        "write a path inside the flags folder, to a file with one id a line";
    BadCase = "bad-case", "A test that could not mean anything.",
        "correct the test, or remove it";
    FailedTest = "failed-test", "A flag does not answer what its test expects.",
        "correct the flag, or write what it answers";
    RetiredKey = "retired-key", "A file for a flag that was given up.",
        "take another key";
    SelfTest = "self-test", "This machine does not hash as it must.",
        "trust no answer of this machine: run Turnout on another one, and report this one's processor";
    SharedSalt = "shared-salt", "Note: two flags with one salt, so that the same users come first in both.",
        "give one of the flags a salt of its own before its rollout begins";
    UnreadFile = "unread-file", "Note: a file that is not read, because of its place or its name.",
        "move the file, or remove it";
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
